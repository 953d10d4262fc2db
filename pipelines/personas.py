"""Personas: journeys to `personas`, `persona_features` and `journey_personas`."""

from __future__ import annotations

from typing import Any

import apache_beam as beam

from contracts.lake import digest_of
from contracts.schemas import table_schema
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.find_personas import FindPersonas, drawn_portraits
from transforms.read_buckets import buckets_of
from transforms.write_table import write_table

__all__ = ["STAGE"]


def _fingerprint(run: Run) -> str:
    return digest_of(
        "personas",
        1,
        run.draft.names("touchpoints", "journeys"),
        run.watermark,
        run.config.journey.gap,
        run.config.personas.model_dump(mode="json"),
    )


def _execute(run: Run) -> dict[str, Any]:
    root = str(run.lake.root)
    folder = scratch_folder(run, "personas")
    result = folder / "result.json"
    name = digest_of(run.run_id, "personas")
    with run.pipeline() as pipeline:
        found = (
            pipeline
            | "Buckets" >> beam.Create(buckets_of(run.draft))
            | "FindPersonas"
            >> FindPersonas(root, run.config, run.watermark, str(folder), name, run.kernel_threads)
        )
        collect((found,), result)
    results = read_results(result)
    counts = results.get("portrait_counts", [])
    personas, features = (
        drawn_portraits(counts)
        if counts
        else (
            table_schema("personas").empty_table(),
            table_schema("persona_features").empty_table(),
        )
    )
    run.draft.tables["journey_personas"] = data_files(results.get("journey_personas", []))
    for table, rows in (("personas", personas), ("persona_features", features)):
        run.draft.tables[table] = [write_table(root, f"tables/{table}/{name}.parquet", rows)]
    return {"rows": sum(file.rows for file in run.draft.tables["journey_personas"])}


STAGE = Stage("personas", ("touchpoints", "journeys"), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
