"""Graph: transitions of all journeys to `stages`, `transitions`, `attribution` and `pain_points`."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa

from contracts.config import PERSONA
from contracts.errors import StageOrderError
from contracts.lake import digest_of
from models.counts import COUNTS_SCHEMA
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
    with run.pipeline() as pipeline:
        buckets = pipeline | "Buckets" >> beam.Create(buckets_of(run.draft))
        counting = (str(run.lake.root), config, run.watermark, str(folder), run.kernel_threads)
        counted = buckets | "CountTransitions" >> CountTransitions(*counting)
        collect((counted,), result)
    results = read_results(result)
    stages, transitions = finish(_counts(results, "transitions"))
    journeys = results.get("converted", [])
    converted = sum(entry["converted"] for entry in journeys)
    value = sum(entry["value_units"] for entry in journeys) / 10_000
    steps = StepCounts(_counts(results, "steps"), first_day(run.watermark, config.graph.history))
    pain_points = find_pain_points(
        stages,
        transitions,
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
    return {"rows": sum(len(rows) for rows in tables.values())}


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
