"""Sessionize: events of resolved customers to `touchpoints` and `sessions`, bucket by bucket.

Where a published version can be gone on from, only touched customers are computed anew (docs/adr/0009).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import StageOrderError
from contracts.lake import digest_of
from contracts.schemas import table_schema
from models.distinct import ascending, ascending_rows
from models.event_keys import bucket_of, power_of_two
from models.touched_customers import Touched, find_touched
from pipelines.consents import write_consents
from pipelines.increments import goes_on_from_base, keep_changed, published
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from pipelines.resolve import STAGE as RESOLVE
from transforms.bucket_changes import BucketChanges, ChangedFile, OldBucket, TouchedFile
from transforms.bucket_events import BucketEvents, CustomerFiles, LinkedFile, Ruling
from transforms.sessionize import Sessionize, SessionizeAnew
from transforms.shared_devices import read_link_state
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
    folder = scratch_folder(run, "sessionize")
    name = digest_of(run.run_id, "sessionize")
    buckets = buckets_of_customers(run)
    known = run.base.stages["sessionize"].facts if goes_on_from_base(run, RESOLVE, STAGE) else {}
    # Accounts change hands by counts of events: who is whose cannot be told from the links that changed.
    by_account = any(m.tables.get("link_accounts") for m in (run.base, run.draft))
    buckets = max(buckets, known.get("buckets", 0))
    if known.get("buckets") == buckets and not by_account:
        results = _change(run, folder, name, buckets)
    else:
        run.draft.tables["changed_customers"] = []
        results = _make(run, folder, name, buckets)
    for table in ("touchpoints", "sessions"):
        run.draft.tables[table] = data_files(results.get(table, []))
    root = str(run.lake.root)
    run.draft.tables["touchpoint_accounting"] = [
        write_table(root, f"tables/touchpoint_accounting/{name}.parquet", _accounting(results))
    ]
    run.draft.tables["unmatched_events"] = [
        write_table(root, f"tables/unmatched_events/{name}.parquet", _unmatched(results))
    ]
    rows = sum(file.rows for file in run.draft.tables["touchpoints"])
    return {"rows": rows, "buckets": buckets}


def _make(run: Run, folder: Path, name: str, buckets: int) -> dict[str, list[Any]]:
    """All touchpoints from all events."""
    ruling = Ruling(str(run.lake.root), run.config, str(folder), buckets)
    customers = _customer_files(run, folder / "consents.npz")
    threads = run.kernel_threads
    with run.pipeline() as pipeline:
        units = pipeline | "Units" >> run.spread(_units(run))
        bucketed = units | "BucketEvents" >> BucketEvents(ruling, customers, threads)
        sessionize = Sessionize(ruling.root, run.config, name, threads)
        written = bucketed.main | "Sessionize" >> sessionize
        collect((bucketed.results, written), folder / "result.json")
    return read_results(folder / "result.json")


def _change(run: Run, folder: Path, name: str, buckets: int) -> dict[str, list[Any]]:
    """The touchpoints of touched customers anew, and all others as they are published."""
    root, threads = run.lake.root, run.kernel_threads
    ruling = Ruling(str(root), run.config, str(folder), buckets)
    was = _customer_files(published(run), folder / "consents-before.npz")
    now = _customer_files(run, folder / "consents.npz")
    files = _changed_files(run)
    touched = _touched(run, was, now, files)
    keep_changed(run, touched.customers, name)
    file = TouchedFile.write(folder / "touched.npz", touched)
    sessions = {file.partition["bucket"]: file for file in run.base.tables["sessions"]}
    old = [
        OldBucket(int(number), bucket, sessions[number])
        for bucket in run.base.tables["touchpoints"]
        for number in [bucket.partition["bucket"]]
    ]
    renamed = set(bucket_of(touched.old, buckets).tolist())
    with run.pipeline() as pipeline:
        units = pipeline | "Units" >> run.spread(_units_of_changes(run, files, touched))
        buckets_renamed = pipeline | "Renamed" >> run.spread(
            [b for b in old if b.number in renamed]
        )
        changes = BucketChanges(ruling, was, now, file, buckets_renamed, threads)
        events, results = units | "BucketChanges" >> changes
        buckets_before = pipeline | "OldBuckets" >> run.spread([(b.number, b) for b in old])
        sessionize = SessionizeAnew(str(root), run.config, name, file, threads)
        written = (events, buckets_before) | "Buckets" >> beam.Flatten() | sessionize
        collect((results, written), folder / "result.json")
    found = read_results(folder / "result.json")
    for row in _rows(published(run), "touchpoint_accounting"):
        for kind in ("events", *_LEFT_OUT):
            known = {"source": row["source"], "kind": kind, "events": row[kind]}
            found.setdefault("accounting", []).append(known)
    for row in _rows(published(run), "unmatched_events"):
        found.setdefault("unmatched", []).append({**row, "count_all": row["events"]})
    return found


def _customer_files(run: Run, consents: Path) -> CustomerFiles:
    (customers,) = run.draft.tables["link_customers"]
    shared, accounts = (
        next((file.path for file in run.draft.tables[table]), None)
        for table in ("shared_links", "link_accounts")
    )
    entirely = run.config.privacy.withdrawal == "entirely"
    said = write_consents(run, consents)
    return CustomerFiles(str(run.lake.root), customers.path, shared, accounts, said, entirely)


def _changed_files(run: Run) -> list[ChangedFile]:
    """All files of events before and now, and where their links are."""
    places: list[dict[str, int]] = []
    links: dict[str, int] = {}
    for manifest in (run.base, run.draft):
        first, found = 0, {}
        for file in manifest.tables["events"]:
            found[file.path], links[file.path] = first, file.meta["link_rows"]
            first += file.meta["link_rows"]
        places.append(found)
    was, now = places
    return [ChangedFile(path, was.get(path), now.get(path), links[path]) for path in links]


def _touched(run: Run, was: CustomerFiles, now: CustomerFiles, files: list[ChangedFile]) -> Touched:
    root = run.lake.root
    before, after = (
        read_link_state(root / state.customers, root / state.shared if state.shared else None)
        for state in (was, now)
    )
    none = np.zeros(0, np.int64)
    stayed = [
        (file.before + own, file.after + own)
        for file in files
        if file.before is not None and file.after is not None
        for own in [np.arange(file.links)]
    ]
    sources = {file.path: file.partition["source"] for file in run.draft.tables["events"]}
    folding = {name for name, source in run.config.sources.items() if source.lines_of_receipt}
    receipts = np.zeros(len(after.customer), bool)
    for file in files:
        if file.after is not None and sources[file.path] in folding:
            receipts[file.after : file.after + file.links] = True
    return find_touched(
        before,
        after,
        (
            np.concatenate([none, *(pair[0] for pair in stayed)]),
            np.concatenate([none, *(pair[1] for pair in stayed)]),
        ),
        receipts,
        *_stated(was, now),
    )


def _stated(was: CustomerFiles, now: CustomerFiles) -> tuple[np.ndarray, np.ndarray]:
    """Who said anything about consent, before or now, and for whom it is not the same."""
    said = [np.zeros((0, 3), np.uint64)]
    for path in (was.consents, now.consents):
        if path is not None:
            with np.load(path) as stored:
                columns = (stored["customer"], stored["stated_us"], stored["granted"])
                said.append(np.stack([c.astype(np.int64).view(np.uint64) for c in columns], axis=1))
    rows, times = ascending_rows(*np.concatenate(said).T)
    return ascending(rows[:, 0]), ascending(rows[times == 1, 0])


def _units_of_changes(
    run: Run, files: list[ChangedFile], touched: Touched
) -> list[tuple[ChangedFile, ...]]:
    """Files that have to be read, small ones together."""
    rows = {f.path: f.rows for m in (run.base, run.draft) for f in m.tables["events"]}
    units: list[tuple[ChangedFile, ...]] = []
    unit: tuple[ChangedFile, ...] = ()
    for file in files:
        if file.before is not None and file.after is not None:
            begin, end = np.searchsorted(touched.links, [file.after, file.after + file.links])
            if begin == end:
                continue
        unit = (*unit, file)
        if sum(rows[one.path] for one in unit) >= _UNIT_ROWS:
            units.append(unit)
            unit = ()
    return [*units, unit] if unit else units


def _rows(run: Run, table: str) -> list[dict[str, Any]]:
    return [
        row
        for path in run.lake.paths(run.draft, table)
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]


def _accounting(results: dict[str, list[Any]]) -> pa.Table:
    """What became of the events of each source."""
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for value in results.get("accounting", []):
        totals[value["source"]][value["kind"]] += value["events"]
    rows = []
    for source, kinds in sorted(totals.items()):
        if not kinds["events"]:
            continue  # none is left
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
            if count
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
