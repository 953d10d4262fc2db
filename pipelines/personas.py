"""Personas: journeys to `personas`, `persona_features`, `journey_personas`, `customer_personas`.

The fit is a function of the journeys; ids and names come from the ledger in `persona_models` of the
published version, and what changed since goes to `persona_changes` (docs/adr/0007).
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam

from contracts.lake import digest_of
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.read_buckets import buckets_of
from transforms.read_profiles import profile_hashes
from transforms.write_table import write_table

__all__ = ["STAGE"]

_BY_BUCKET = ("journey_personas", "customer_personas")


def _fingerprint(run: Run) -> str:
    config = run.config
    profile = config.personas.profile
    known = (
        (profile_hashes(profile), run.draft.names("identities")) if profile is not None else None
    )
    return digest_of(
        "personas",
        3,
        run.draft.names("touchpoints", "journeys"),
        run.watermark,
        config.journey.gap,
        config.stages,
        config.personas.model_dump(mode="json"),
        known,
    )


def _execute(run: Run) -> dict[str, Any]:
    # Slow to import, and often nothing is new.
    from pipelines.portraits import last_published, portray
    from transforms.find_personas import FindPersonas

    root = str(run.lake.root)
    folder = scratch_folder(run, "personas")
    result = folder / "result.json"
    name = digest_of(run.run_id, "personas")
    last = last_published(run)
    with run.pipeline() as pipeline:
        found = (
            pipeline
            | "Buckets" >> beam.Create(buckets_of(run.draft))
            | "FindPersonas"
            >> FindPersonas(
                root,
                run.config,
                run.watermark,
                str(folder),
                name,
                run.run_id,
                last,
                run.kernel_threads,
            )
        )
        collect((found,), result)
    results = read_results(result)
    for table in _BY_BUCKET:
        run.draft.tables[table] = data_files(results.get(table, []))
    tables = portray(run, results.get("portrait_counts", []), last)
    for table, rows in tables.items():
        run.draft.tables[table] = [write_table(root, f"tables/{table}/{name}.parquet", rows)]
    return {"rows": sum(file.rows for file in run.draft.tables["journey_personas"])}


STAGE = Stage("personas", ("touchpoints", "journeys"), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
