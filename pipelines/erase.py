"""Erase: the records of erased persons taken out of everything that ingest wrote (docs/adr/0010).

What is erased is told by the tombstones alone, as at ingest, so that a killed erasure can be completed without the
person's name. Files of events, the index of copies, quarantine, the ledger and the decisions about the person's
identifiers are written again without them; what later stages wrote is theirs to rebuild.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import digest_of
from models.hexadecimal import hex_text
from models.identity import identifier_hash
from models.tombstones import Tombstones
from pipelines.decisions import forget_decisions, read_erasures
from pipelines.ingest import read_ledger, write_ledger
from pipelines.job import Run, Stage, collect, data_files, read_results, scratch_folder
from pipelines.records import without_records
from transforms.deduplicate import write_index
from transforms.erase_events import EraseEvents, erased_events
from transforms.write_table import write_table

__all__ = ["STAGE", "Identifier", "Person", "find_person"]

_BATCH_ROWS = 1 << 17

Identifier = tuple[str, str]


@dataclass(frozen=True)
class Person:
    """Who is to be erased, as the published version knows them."""

    identifiers: tuple[Identifier, ...]
    """(namespace, value) of those that are the person's own, as the lake knows them."""
    anonymous: tuple[tuple[Identifier, tuple[str, str]], ...] = ()
    """A shared device, and (source, event_id), of each event of the person's without one of these."""


def find_person(run: Run, identifier: Identifier) -> Person | None:
    """All that belongs to the customer of an identifier; None if the published version does not know it.

    The person has no identifiers if the identifier is no customer's: a shared device, or one that says nothing.
    """
    owner = None
    known = False
    for piece in _identities(run):
        rows = piece.filter(
            pc.and_(
                pc.equal(piece["namespace"], identifier[0]), pc.equal(piece["value"], identifier[1])
            )
        )
        if len(rows):
            known, owner = True, rows["customer_id"][0].as_py()
    if owner is None:
        return Person(()) if known else None
    own = [
        (row["namespace"], row["value"])
        for piece in _identities(run)
        for row in piece.filter(pc.equal(piece["customer_id"], owner)).to_pylist()
    ]
    return Person(tuple(sorted(own)), tuple(_anonymous_events(run, owner)))


def _identities(run: Run) -> Iterator[pa.Table]:
    for path in run.lake.paths(run.base, "identities"):
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(_BATCH_ROWS, columns=["namespace", "value", "customer_id"]):
            yield pa.table(batch)


def _anonymous_events(run: Run, owner: str) -> Iterator[tuple[Identifier, tuple[str, str]]]:
    """Events on shared devices that are the owner's by their time."""
    from transforms.shared_devices import AnonymousLinks

    times = [
        (row["started_at"], row["ended_at"])
        for path in run.lake.paths(run.base, "identity_intervals")
        for row in pq.read_table(path, filters=[("customer_id", "=", owner)]).to_pylist()
    ]
    if not times:
        return
    (shared,) = run.lake.paths(run.base, "shared_links")
    anonymous, customer = AnonymousLinks(shared), np.uint64(int(owner, 16))
    start_us, end_us = (_epoch_us(min(s for s, _ in times)), _epoch_us(max(e for _, e in times)))
    namespaces = run.config.person_namespaces
    first_link = 0
    for file in run.base.tables["events"]:
        if file.meta["max_event_us"] < start_us or file.meta["min_event_us"] > end_us:
            first_link += file.meta["link_rows"]
            continue
        events = pq.read_table(
            run.lake.path(file),
            columns=["event_id", "event_time", "link", *(f"id_{name}" for name in namespaces)],
            partitioning=None,
        )
        link = events["link"].to_numpy() + np.int64(first_link)
        first_link += file.meta["link_rows"]
        time_us = events["event_time"].cast(pa.int64()).to_numpy()
        whose = anonymous.fill(np.zeros(len(events), np.uint64), link, time_us)
        for row in events.filter(pa.array(whose == customer)).to_pylist():
            device = next((n, row[f"id_{n}"]) for n in namespaces if row[f"id_{n}"] is not None)
            yield device, (str(file.partition["source"]), row["event_id"])


def _epoch_us(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _fingerprint(run: Run) -> str:
    return digest_of("erase", 1, [vars(tombstone) for tombstone in read_erasures(run.lake)])


def _execute(run: Run) -> dict[str, Any]:
    tombstones = run.tombstones()
    if tombstones is None:
        return {"rows": 0}
    erased, suspects = _known(run, tombstones)
    results = _rewrite_events(run, tombstones, suspects)
    tables = run.draft.tables
    replaced = set(results.get("replaced", []))
    kept = [file for file in tables.get("events", []) if file.path not in replaced]
    tables["events"] = kept + data_files(results.get("events", []))
    taken: Counter[tuple[str, str, str]] = Counter()  # by source, file, and place in the ledger
    _rewrite_index(run, results.get("keys", []), taken)
    events = {
        (found["source"], id_) for found in results.get("keys", []) for id_ in found["event_id"]
    }
    for source, held in _rewrite_records(run, "quarantine", tombstones):
        events |= {(source, event_id) for event_id in held["event_id"].to_pylist()}
        for file_id in held["file_id"].to_pylist():
            taken[source, file_id, "quarantined"] += 1
    _rewrite_records(run, "consents", tombstones)
    _rewrite_ledger(run, taken)
    _rewrite_changes(run, erased)
    decisions = forget_decisions(run.lake, set(erased), events)
    counts = Counter[str]()
    for (_, _, place), number in taken.items():
        counts[place] += number
    return {
        "rows": sum(counts.values()),
        "identifiers": len(erased),
        "decisions": decisions,
        "files": len(replaced),
        **counts,
    }


def _known(run: Run, tombstones: Tombstones) -> tuple[list[Identifier], dict[str, tuple[str, ...]]]:
    """Erased identifiers that are still known, and by namespace those whose events must be looked at."""
    erased: list[Identifier] = []
    suspects: dict[str, list[str]] = {name: [] for name in run.config.person_namespaces}
    for piece in _identities(run):
        for name, found in suspects.items():
            values = piece.filter(pc.equal(piece["namespace"], name))["value"].combine_chunks()
            gone = tombstones.erased(name, values)
            erased += [(name, value) for value in values.filter(pa.array(gone)).to_pylist()]
            found += values.filter(pa.array(gone | tombstones.guarded(name, values))).to_pylist()
    return erased, {name: tuple(found) for name, found in suspects.items()}


def _rewrite_events(
    run: Run, tombstones: Tombstones, suspects: dict[str, tuple[str, ...]]
) -> dict[str, list[Any]]:
    files = run.draft.tables.get("events", [])
    if not any(suspects.values()):
        return {}
    result = scratch_folder(run, "erase") / "result.json"
    config = run.config
    erase = EraseEvents(
        str(run.lake.root),
        config.namespaces,
        config.attributes,
        tombstones,
        suspects,
        run.kernel_threads,
    )
    with run.pipeline() as pipeline:
        collect((pipeline | "Files" >> run.spread(files) | "Erase" >> erase,), result)
    return read_results(result)


def _rewrite_index(
    run: Run, keys: list[dict[str, Any]], taken: Counter[tuple[str, str, str]]
) -> None:
    """All copies of erased events leave the index, losers too."""
    gone = {key for found in keys for key in zip(found["key"], found["key_rest"], strict=True)}
    if not gone:
        return
    first = np.array(sorted({key for key, _ in gone}), np.uint64)
    folder = f"tables/event_keys/{digest_of(run.run_id, 'erase')}"
    files = []
    for file in run.draft.tables["event_keys"]:
        index = pq.read_table(run.lake.path(file), partitioning=None, read_dictionary=["copy"])
        suspects = np.flatnonzero(np.isin(index["key"].to_numpy(), first))
        rows = index.take(pa.array(suspects)).to_pylist()
        theirs = [(row["key"], row["key_rest"]) in gone for row in rows]
        if not any(theirs):
            files.append(file)
            continue
        for row in (row for row, erased in zip(rows, theirs, strict=True) if erased):
            source, file_id = row["copy"].split("/")
            taken[source, file_id, "events" if row["stays"] else "duplicates"] += 1
        stays = np.ones(len(index), bool)
        stays[suspects[theirs]] = False
        bucket = int(file.partition["bucket"])
        files.append(write_index(str(run.lake.root), folder, bucket, index.filter(pa.array(stays))))
    run.draft.tables["event_keys"] = files


def _rewrite_records(run: Run, table: str, tombstones: Tombstones) -> list[tuple[str, pa.Table]]:
    """A small table of records without those of the erased; returns these, with their source."""

    def erased(source: str, rows: pa.Table) -> np.ndarray:
        return erased_events(rows, source, run.config.person_namespaces, tombstones)

    files, taken = without_records(run, run.draft.tables.get(table, []), erased)
    run.draft.tables[table] = files
    return taken


def _rewrite_ledger(run: Run, taken: Counter[tuple[str, str, str]]) -> None:
    """What was an event, a duplicate or quarantined is an erased record now."""
    if not taken:
        return
    ledger = read_ledger(run)
    for row in ledger:
        if row["again"]:
            continue
        for place in ("events", "duplicates", "quarantined"):
            number = taken[row["source"], row["file_id"], place]
            row[place] -= number
            row["erased"] += number
    run.draft.tables["ingest_ledger"] = [write_ledger(run, ledger)]


def _rewrite_changes(run: Run, erased: list[Identifier]) -> None:
    """A customer is named after one of its identifiers: changes to or from such names are about the person."""
    hashes = np.array([identifier_hash(*identifier) for identifier in erased], np.uint64)
    names = hex_text(hashes)
    files = []
    for file in run.draft.tables.get("identity_changes", []):
        rows = pq.read_table(run.lake.path(file), partitioning=None)
        theirs = pc.or_(
            pc.is_in(rows["old_customer_id"], names), pc.is_in(rows["new_customer_id"], names)
        )
        if not pc.any(theirs).as_py():
            files.append(file)
            continue
        path = f"tables/identity_changes/{run.run_id}-{Path(file.path).stem}.parquet"
        rest = rows.filter(pc.invert(theirs))
        if len(rest):
            files.append(write_table(str(run.lake.root), path, rest))
    run.draft.tables["identity_changes"] = files


STAGE = Stage("erase", (), _fingerprint, _execute)
