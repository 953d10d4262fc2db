"""Graph: transitions of all journeys to `stages`, `transitions`, `attribution` and `pain_points`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import PERSONA, SMALL
from contracts.errors import StageOrderError
from contracts.lake import digest_of
from models.counts import COUNTS_SCHEMA
from models.small_groups import Size, to_fold
from pipelines.job import Run, Stage, collect, main, read_results, scratch_folder
from transforms.read_buckets import buckets_of
from transforms.write_table import write_table

__all__ = ["STAGE"]


def _fingerprint(run: Run) -> str:
    config = run.config
    sliced_by_persona = PERSONA in config.graph.segments and PERSONA not in config.attributes
    if sliced_by_persona and "journey_personas" not in run.draft.tables:
        raise StageOrderError(
            "graph.segments names persona, but there are no personas yet; "
            "run 'footpath personas' before, or 'footpath run'"
        )
    return digest_of(
        "graph",
        3,
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
    from transforms.count_transitions import CountTransitions

    config = run.config
    folder = scratch_folder(run, "graph")
    result = folder / "result.json"
    folded = _small_groups(run, folder / "sizes.json") if config.privacy.min_group > 1 else {}
    with run.pipeline() as pipeline:
        buckets = pipeline | "Buckets" >> beam.Create(buckets_of(run.draft))
        counting = (str(run.lake.root), config, run.watermark, str(folder), folded)
        counted = buckets | "CountTransitions" >> CountTransitions(*counting, run.kernel_threads)
        collect((counted,), result)
    results = read_results(result)
    stages, transitions = finish(_counts(results, "transitions"))
    journeys = results.get("converted", [])
    converted = sum(entry["converted"] for entry in journeys)
    value = sum(entry["value_units"] for entry in journeys) / 10_000
    counts = _named(_counts(results, "steps"))
    steps = StepCounts(counts, first_day(run.watermark, config.graph.history))
    pain_points = find_pain_points(
        _named(stages),
        _named(transitions),
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
            mean_value=value / converted if value > 0 else None,
        ),
    )
    name = digest_of(run.run_id, "graph")
    tables = {
        "stages": stages,
        "transitions": transitions,
        "attribution": credit(_counts(results, "paths")),
        "pain_points": pain_points,
        "segment_differences": segment_differences(steps, config.graph.min_volume),
    }
    for table, rows in tables.items():
        run.draft.tables[table] = [
            write_table(str(run.lake.root), f"tables/{table}/{name}.parquet", rows)
        ]
    return {"rows": sum(len(rows) for rows in tables.values()), "folded": folded}


def _small_groups(run: Run, result: Path) -> dict[str, tuple[str, ...]]:
    """By segment the values that have too few customers to be told alone."""
    from transforms.count_transitions import GroupSizes

    sizes = GroupSizes(str(run.lake.root), run.config, run.watermark, run.kernel_threads)
    with run.pipeline() as pipeline:
        collect((pipeline | "AllBuckets" >> beam.Create(buckets_of(run.draft)) | sizes,), result)
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


def _counts(results: dict[str, list[Any]], kind: str) -> pa.Table:
    """The sum over all buckets; no rows where there was no bucket."""
    tables = []
    for path in results.get(kind, []):
        with pa.memory_map(path) as file:
            tables.append(pa.ipc.open_file(file).read_all())
    return pa.concat_tables([COUNTS_SCHEMA.empty_table(), *tables])


STAGE = Stage("graph", ("touchpoints", "journeys"), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
