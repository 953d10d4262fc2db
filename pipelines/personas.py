"""Personas: journeys to `personas`, `persona_features`, `journey_personas`, `customer_personas`.

The fit is a function of the journeys; ids and names come from the ledger in `persona_models` of the
published version, and what changed since goes to `persona_changes` (docs/adr/0007). While a fit is gone on with
(`refit_after`), customers to whom nothing happened keep theirs (docs/adr/0009); for that the lake's tables
``persona_eligible`` and ``persona_counts`` are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.lake import DataFile, Manifest, digest_of
from models.event_keys import bucket_of
from pipelines.increments import changed_customers, goes_on_from_base, published
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.read_buckets import buckets_of
from transforms.read_profiles import profile_hashes
from transforms.write_table import write_table

if TYPE_CHECKING:
    from transforms.find_personas import PersonaBucket

__all__ = ["STAGE"]

_MEMBERS = ("journey_personas", "customer_personas")
_BY_BUCKET = (*_MEMBERS, "persona_eligible")


def _fingerprint(run: Run) -> str:
    config = run.config
    profile = config.personas.profile
    known = (
        (profile_hashes(profile), run.draft.names("identities")) if profile is not None else None
    )
    return digest_of(
        "personas",
        4,
        run.draft.names("touchpoints", "journeys"),
        run.watermark,
        config.journey.gap,
        config.stages,
        config.personas.model_dump(mode="json"),
        known,
    )


def _execute(run: Run) -> dict[str, Any]:
    # Slow to import, and often nothing is new.
    from pipelines.portraits import last_published, portray, total_counts, write_counts
    from transforms.find_personas import FindPersonas

    root = str(run.lake.root)
    folder = scratch_folder(run, "personas")
    result = folder / "result.json"
    name = digest_of(run.run_id, "personas")
    last = last_published(run)
    buckets = _buckets(run)
    with run.pipeline() as pipeline:
        found = (
            pipeline
            | "Buckets" >> run.spread(buckets)
            | "FindPersonas"
            >> FindPersonas(
                root,
                run.config,
                run.watermark,
                str(folder),
                name,
                run.run_id,
                last,
                published(run).watermark,
                run.kernel_threads,
            )
        )
        collect((found,), result)
    results = read_results(result)
    for table in _BY_BUCKET:
        run.draft.tables[table] = data_files(results.get(table, []))
    goes_on = any(bucket.before for bucket in buckets)
    total = total_counts(run, results.get("portrait_counts", []), last, goes_on)
    run.draft.tables["persona_counts"] = [write_counts(run, total[1], name)] if total else []
    tables = portray(run, total, last)
    for table, rows in tables.items():
        run.draft.tables[table] = [write_table(root, f"tables/{table}/{name}.parquet", rows)]
    return {"rows": sum(file.rows for file in run.draft.tables["journey_personas"])}


def _buckets(run: Run) -> list[PersonaBucket]:
    """All buckets, with what is known of them where it may be gone on from."""
    from transforms.find_personas import KnownBucket, PersonaBucket

    changed = changed_customers(run) if goes_on_from_base(run, STAGE) else None
    if changed is None:
        return [PersonaBucket(bucket) for bucket in buckets_of(run.draft)]
    of = bucket_of(changed, run.draft.stages["sessionize"].facts.get("buckets", 1))
    known = {table: _by_bucket(run.base, table) for table in _BY_BUCKET}
    before = {
        bucket.number: KnownBucket(
            bucket,
            known["persona_eligible"][bucket.number],
            {table: known[table][bucket.number] for table in _MEMBERS},
            changed[of == bucket.number],
        )
        for bucket in buckets_of(run.base)
    }
    now = buckets_of(run.draft)
    if before.keys() - {bucket.number for bucket in now}:
        return [PersonaBucket(bucket) for bucket in now]
    return [PersonaBucket(bucket, before.get(bucket.number)) for bucket in now]


def _by_bucket(manifest: Manifest, table: str) -> dict[int, DataFile]:
    return {int(file.partition["bucket"]): file for file in manifest.tables[table]}


STAGE = Stage("personas", ("touchpoints", "journeys"), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
