"""Sessionize: events of resolved customers to `touchpoints` and `sessions`, bucket by bucket."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import apache_beam as beam
import pyarrow as pa

from contracts.errors import StageOrderError
from contracts.lake import digest_of
from contracts.schemas import table_schema
from models.event_keys import power_of_two
from pipelines.consents import write_consents
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from pipelines.resolve import STAGE as RESOLVE
from transforms.bucket_events import BucketEvents, LinkedFile
from transforms.sessionize import Sessionize
from transforms.write_table import write_table

__all__ = ["STAGE", "buckets_of_customers"]

_LEFT_OUT = ("folded_lines", "ignored", "unidentified", "withdrawn")
_UNIT_ROWS = 1 << 17
_BUCKET_ROWS = 1 << 18


def _fingerprint(run: Run) -> str:
    config = run.config
    return digest_of(
        "sessionize",
        1,
        run.draft.names("events", "link_customers", "shared_links", "link_accounts"),
        [rule.model_dump(mode="json") for rule in config.touchpoints],
        config.session.model_dump(mode="json"),
        config.journey.model_dump(mode="json"),
        config.pre_purchase_stages,
        config.attributes,
        config.lake.buckets,
        sorted(name for name, source in config.sources.items() if source.lines_of_receipt),
        run.draft.names("consents"),
        config.privacy.withdrawal,
    )


def _units(run: Run) -> list[tuple[LinkedFile, ...]]:
    """Files of events, joined to units of work that are worth their overhead."""
    units: list[tuple[LinkedFile, ...]] = []
    waiting: list[LinkedFile] = []
    first_link = 0
    for file in run.draft.tables["events"]:
        waiting.append(LinkedFile(file.path, file.rows, first_link))
        first_link += file.meta["link_rows"]
        if sum(f.rows for f in waiting) >= _UNIT_ROWS:
            units.append(tuple(waiting))
            waiting = []
    return [*units, tuple(waiting)] if waiting else units


def buckets_of_customers(run: Run) -> int:
    """Buckets of customers: declared, or so many that one fits a worker's memory well."""
    rows = sum(file.rows for file in run.draft.tables["events"])
    return power_of_two(
        run.config.lake.buckets or max(run.kernel_threads, -(-rows // _BUCKET_ROWS))
    )


def _refuse_stale_customers(run: Run) -> None:
    """Customers are known by the place of their link among the links of all files of events.

    Raises
    ------
    StageOrderError
        If they were resolved for other files.
    """
    if run.draft.stages["resolve"].fingerprint != RESOLVE.fingerprint(run):
        raise StageOrderError(
            "'sessionize' reads customers that were resolved before the events changed; "
            "run 'footpath resolve' first, or 'footpath run'"
        )


def _execute(run: Run) -> dict[str, Any]:
    _refuse_stale_customers(run)
    root, threads = str(run.lake.root), run.kernel_threads
    folder = scratch_folder(run, "sessionize")
    result = folder / "result.json"
    (customers,) = run.draft.tables["link_customers"]
    shared, accounts = (
        next((file.path for file in run.draft.tables[table]), None)
        for table in ("shared_links", "link_accounts")
    )
    consents = write_consents(run, folder / "consents.npz")
    buckets = buckets_of_customers(run)
    name = digest_of(run.run_id, "sessionize")
    with run.pipeline() as pipeline:
        bucketed = (
            pipeline
            | "Units" >> beam.Create(_units(run))
            | "BucketEvents"
            >> BucketEvents(
                root,
                run.config,
                customers.path,
                shared,
                accounts,
                consents,
                str(folder),
                buckets,
                threads,
            )
        )
        written = bucketed.main | "Sessionize" >> Sessionize(root, run.config, name, threads)
        collect((bucketed.results, written), result)
    results = read_results(result)
    for table in ("touchpoints", "sessions"):
        run.draft.tables[table] = data_files(results.get(table, []))
    run.draft.tables["touchpoint_accounting"] = [
        write_table(root, f"tables/touchpoint_accounting/{name}.parquet", _accounting(results))
    ]
    run.draft.tables["unmatched_events"] = [
        write_table(root, f"tables/unmatched_events/{name}.parquet", _unmatched(results))
    ]
    return {"rows": sum(file.rows for file in run.draft.tables["touchpoints"])}


def _accounting(results: dict[str, list[Any]]) -> pa.Table:
    """What became of the events of each source."""
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for value in results.get("accounting", []):
        totals[value["source"]][value["kind"]] += value["events"]
    rows = []
    for source, kinds in sorted(totals.items()):
        left_out = sum(kinds[kind] for kind in _LEFT_OUT)
        rows.append({"source": source, **kinds, "touchpoints": kinds["events"] - left_out})
    return _table("touchpoint_accounting", rows)


def _unmatched(results: dict[str, list[Any]]) -> pa.Table:
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in results.get("unmatched", []):
        totals[row["source"], row["channel"], row["event_type"]] += row["count_all"]
    return _table(
        "unmatched_events",
        [
            {"source": source, "channel": channel, "event_type": event_type, "events": count}
            for (source, channel, event_type), count in sorted(totals.items(), key=str)
        ],
    )


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = table_schema(name)
    numbers = {field.name: 0 for field in schema if pa.types.is_integer(field.type)}
    return pa.Table.from_pylist([{**numbers, **row} for row in rows], schema=schema)


STAGE = Stage(
    "sessionize",
    ("events", "link_customers", "shared_links", "link_accounts"),
    _fingerprint,
    _execute,
)

if __name__ == "__main__":
    main(STAGE)
