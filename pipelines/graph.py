"""Graph: transitions of all journeys to `stages`, `transitions`, `attribution` and `pain_points`.

Sums are kept in the lake's table ``graph_counts``. Where they can be gone on from, affected customers are counted
twice, as they were and as they are, and all others not at all (docs/adr/0009).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import PERSONA, SMALL
from contracts.errors import StageOrderError
from contracts.lake import digest_of
from models.counts import COUNTS_SCHEMA, merge_counts
from models.event_keys import bucket_of
from models.small_groups import Size, to_fold
from pipelines.increments import changed_customers, goes_on_from_base, published
from pipelines.job import Run, Stage, collect, main, read_results, scratch_folder
from transforms.read_buckets import buckets_of, read_bucket
from transforms.write_table import write_table

if TYPE_CHECKING:
    from transforms.count_transitions import BucketChange

__all__ = ["STAGE"]

_KINDS = ("transitions", "paths", "steps")

_TOGETHER = 8
"""Buckets whose affected customers are counted at once, at most: more of them than a bucket has would be many."""


def _fingerprint(run: Run) -> str:
    config = run.config
    sliced_by_persona = _is_sliced_by_persona(run)
    if sliced_by_persona and "journey_personas" not in run.draft.tables:
        raise StageOrderError(
            "graph.segments names persona, but there are no personas yet; "
            "run 'footpath personas' before, or 'footpath run'"
        )
    return digest_of(
        "graph",
        5,
        run.draft.names("touchpoints", "journeys"),
        run.draft.names("journey_personas") if sliced_by_persona else [],
        config.stages,
        run.watermark,
        config.journey.model_dump(mode="json"),
        config.session.gap,
        config.graph.model_dump(mode="json"),
        config.attribution.model_dump(mode="json"),
        _stage_of(run),
        config.privacy.min_group,
    )


def _is_sliced_by_persona(run: Run) -> bool:
    return PERSONA in run.config.graph.segments and PERSONA not in run.config.attributes


def _stage_of(run: Run) -> dict[str, str]:
    """Declared stage of each touchpoint; the first rule that names it counts."""
    declared = reversed(run.config.touchpoints)
    return {rule.touchpoint: rule.stage for rule in declared if rule.touchpoint and rule.stage}


def _execute(run: Run) -> dict[str, Any]:
    # Slow to import, and often nothing is new.
    from models.attribution import credit
    from models.pain_points import Settings, find_pain_points
    from models.pain_points.daily import StepCounts
    from models.segment_differences import segment_differences
    from models.step_counts import first_day
    from models.transition_tables import finish

    config = run.config
    folder = scratch_folder(run, "graph")
    name = digest_of(run.run_id, "graph")
    folded = _small_groups(run, folder / "sizes.json") if config.privacy.min_group > 1 else {}
    sums = _count(run, folder, folded)
    stages, transitions = finish(sums.counts["transitions"])
    value = sums.value_units / 10_000
    named = _named if folded else _as_it_is
    counts = named(sums.counts["steps"])
    steps = StepCounts(counts, first_day(run.watermark, config.graph.history))
    pain_points = find_pain_points(
        named(stages),
        named(transitions),
        steps,
        Settings(
            stage_of=_stage_of(run),
            stages=config.stages,
            contacts=frozenset(config.contacts),
            errors=frozenset(config.errors),
            conversions=frozenset(config.journey.conversion),
            min_volume=config.graph.min_volume,
            window=config.graph.window,
            pause=config.session.gap,
            gap=config.journey.gap,
            mean_value=value / sums.converted if value > 0 else None,
        ),
    )
    tables = {
        "stages": stages,
        "transitions": transitions,
        "attribution": credit(sums.counts["paths"]),
        "pain_points": pain_points,
        "segment_differences": segment_differences(steps, config.graph.min_volume),
    }
    for table, rows in tables.items():
        run.draft.tables[table] = [
            write_table(str(run.lake.root), f"tables/{table}/{name}.parquet", rows)
        ]
    run.draft.tables["graph_counts"] = [
        replace(
            write_table(str(run.lake.root), f"tables/graph_counts/{name}-{kind}.parquet", counts),
            meta={"kind": kind, "converted": sums.converted, "value_units": sums.value_units},
        )
        for kind, counts in sums.counts.items()
    ]
    return {"rows": sum(len(rows) for rows in tables.values()), "folded": folded}


@dataclass(frozen=True)
class _Sums:
    """What is counted over all journeys."""

    counts: dict[str, pa.Table]
    """By kind: transitions, paths, steps."""
    converted: int
    value_units: int


def _count(run: Run, folder: Path, folded: dict[str, tuple[str, ...]]) -> _Sums:
    """Count everybody, or whom something happened to since the published version."""
    from transforms.count_transitions import CountTransitions

    before = _published(run, folded)
    counting = (str(run.lake.root), run.config, run.watermark, str(folder), folded)
    since = None if before is None else published(run).watermark
    count = CountTransitions(*counting, run.kernel_threads, since)
    work = buckets_of(run.draft) if before is None else _changes(run)
    with run.pipeline() as pipeline:
        counted = pipeline | "Buckets" >> run.spread(work) | "CountTransitions" >> count
        collect((counted,), folder / "result.json")
    results = read_results(folder / "result.json")
    counts = {kind: _added(results, kind) for kind in _KINDS}
    converted, units = (
        sum(entry[name] for entry in results.get("converted", []))
        for name in ("converted", "value_units")
    )
    if before is None:
        return _Sums(counts, converted, units)
    return _Sums(
        {kind: merge_counts([before.counts[kind], counts[kind]]) for kind in _KINDS},
        before.converted + converted,
        before.value_units + units,
    )


def _published(run: Run, folded: dict[str, tuple[str, ...]]) -> _Sums | None:
    """The sums of the published version, days told apart as now; None where they can't be gone on from."""
    from models.step_counts import first_day, forget_days

    persona_known = not _is_sliced_by_persona(run) or "journey_personas" in run.base.tables
    if not persona_known or not goes_on_from_base(run, STAGE) or changed_customers(run) is None:
        return None
    was = {
        segment: tuple(values)
        for segment, values in run.base.stages["graph"].facts["folded"].items()
    }
    if was != folded or published(run).watermark > run.watermark:
        return None
    files = {str(file.meta["kind"]): file for file in run.base.tables["graph_counts"]}
    counts = {
        kind: read_bucket(str(run.lake.root), file.path, COUNTS_SCHEMA.names)
        for kind, file in files.items()
    }
    since = first_day(run.watermark, run.config.graph.history)
    counts["steps"] = forget_days(counts["steps"], since)
    told = files["steps"].meta
    return _Sums(counts, told["converted"], told["value_units"])


def _changes(run: Run) -> list[tuple[BucketChange, ...]]:
    """Every bucket before and now, and whose touchpoints are not the same; some buckets at a time."""
    from transforms.count_transitions import BucketChange

    changed = changed_customers(run)
    assert changed is not None
    of = bucket_of(changed, run.draft.stages["sessionize"].facts.get("buckets", 1))
    was, now = ({b.number: b for b in buckets_of(m)} for m in (run.base, run.draft))
    changes = [
        BucketChange(was.get(number), now.get(number), changed[of == number])
        for number in sorted(was | now)
    ]
    some = min(_TOGETHER, max(1, -(-len(changes) // run.kernel_threads)))
    return [tuple(changes[i : i + some]) for i in range(0, len(changes), some)]


def _small_groups(run: Run, result: Path) -> dict[str, tuple[str, ...]]:
    """By segment the values that have too few customers to be told alone."""
    from transforms.count_transitions import GroupSizes

    sizes = GroupSizes(str(run.lake.root), run.config, run.watermark, run.kernel_threads)
    with run.pipeline() as pipeline:
        collect((pipeline | "AllBuckets" >> run.spread(buckets_of(run.draft)) | sizes,), result)
    totals: dict[tuple[str, str], list[int]] = {}
    for size in read_results(result).get("size", []):
        total = totals.setdefault((size["segment"], size["value"]), [0, 0])
        total[0] += size["customers"]
        total[1] += size["first"]
    least = run.config.privacy.min_group
    return to_fold([Size(*key, *total) for key, total in totals.items()], least)


def _named(table: pa.Table) -> pa.Table:
    """Rows of segments that can be asked for by name: none of folded groups."""
    return table.filter(pc.not_equal(table["segment_value"].cast(pa.string()), SMALL))


def _as_it_is(table: pa.Table) -> pa.Table:
    return table


def _added(results: dict[str, list[Any]], kind: str) -> pa.Table:
    """The sums over all buckets, measure by measure; no rows where there was no bucket."""
    tables = []
    for path in results.get(kind, []):
        with pa.memory_map(path) as file:
            tables.append(pa.ipc.open_file(file).read_all())
    return pa.concat_tables([COUNTS_SCHEMA.empty_table(), *tables])


STAGE = Stage("graph", ("touchpoints", "journeys"), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
