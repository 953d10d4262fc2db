"""Quarantine: which records are held, and which of them are let go by time or by order.

A record is held if its time is implausible. It becomes an event when the declared present has moved past it, or
when somebody releases it; one that is dropped stays in the table, marked, so that nothing is lost from the sums,
for as long as its time is implausible.
Orders name events (source and event_id) and are looked up whenever such a record is met, in a new file or among those
held, so that it does not matter which came first. The table keeps the hash of the raw record (which is not
published): a released record competes with copies of its event as if it had just been read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import DataFile
from contracts.schemas import table_schema
from models.dictionaries import DICTIONARY, encode
from models.mapping import datable
from models.refused_values import REFUSED
from pipelines.decisions import Orders, read_quarantine_orders
from pipelines.job import Run
from transforms.map_slices import EVENT_DICTIONARIES

__all__ = ["Released", "due", "held_files", "let_go"]


def _schema(run: Run) -> pa.Schema:
    """Columns of a file of the lake: those that are published, and the hash of the raw record."""
    schema = table_schema("quarantine", run.config.namespaces, run.config.attributes)
    return schema.append(pa.field("record_hash", pa.uint64()))


@dataclass
class Released:
    """What becomes of the quarantine of the base: files that stay, and records that are events now."""

    files: list[DataFile] = field(default_factory=list)
    events: list[tuple[str, str, pa.Table]] = field(default_factory=list)
    """Source, file_id, and events as `map_records` gives them, with their file_id."""

    @property
    def counts(self) -> list[dict[str, Any]]:
        """For the ledger: what was quarantined is accepted."""
        return [
            {
                "source": source,
                "file_id": file_id,
                "records_read": 0,
                "accepted": len(events),
                "dead_letters": 0,
                "quarantined": -len(events),
                "withheld": 0,
                "erased": 0,
            }
            for source, file_id, events in self.events
        ]


def due(run: Run) -> bool:
    """Whether a record that is held in the draft is to be let go, or marked, though no file is new."""
    orders = read_quarantine_orders(run.lake)
    held = run.draft.tables.get("quarantine", [])
    return any(_is_due(file, orders, _now_us(run)) for file in held)


def _now_us(run: Run) -> int:
    return int(run.now.timestamp() * 1_000_000)


def _is_due(file: DataFile, orders: Mapping[str, Orders], now_us: int) -> bool:
    known = orders.get(str(file.partition["source"]), Orders())
    next_us = file.meta.get("next_us")
    return (next_us is not None and next_us <= now_us) or file.meta.get(
        "orders"
    ) != known.fingerprint


def let_go(run: Run, files: Iterable[DataFile]) -> Released:
    """Sort the records of the given files of the base: held on, or released."""
    orders = read_quarantine_orders(run.lake)
    released = Released()
    for file in files:
        if not _is_due(file, orders, _now_us(run)):
            released.files.append(file)
            continue
        rows = pq.read_table(run.lake.path(file), schema=_schema(run), partitioning=None)
        free = _free(rows, orders.get(str(file.partition["source"]), Orders()), _now_us(run))
        if len(held := rows.filter(pc.invert(free))):
            released.files.append(_write_held(run, held, f"{run.run_id}-{len(released.files)}"))
        released.events += _by_file(str(file.partition["source"]), rows.filter(free))
    return released


def _free(rows: pa.Table, orders: Orders, now_us: int) -> pa.Array:
    times = rows["event_time"].cast(pa.int64())
    passed = pc.and_(pc.equal(rows["reason"], "in_future"), pc.less_equal(times, now_us))
    released = pc.is_in(rows["event_id"], pa.array(sorted(orders.released), pa.string()))
    return pc.fill_null(pc.and_(pc.or_(passed, released), datable(times)), False)


def _by_file(source: str, rows: pa.Table) -> Iterator[tuple[str, str, pa.Table]]:
    # A file that was rewritten may lack the hash; it only decides between copies received at one moment.
    record_hash = pc.fill_null(rows["record_hash"], pa.scalar(0, pa.uint64()))
    rows = rows.drop_columns(["reason", "decision", "position", "place", "record_hash"])
    rows = rows.append_column("record_hash", record_hash)
    rows = rows.append_column(
        REFUSED, pa.nulls(len(rows), DICTIONARY)
    )  # not kept with held records
    for name in EVENT_DICTIONARIES:
        rows = rows.set_column(rows.column_names.index(name), name, encode(rows[name]))
    for file_id in sorted(pc.unique(rows["file_id"].cast(pa.string())).to_pylist()):
        yield source, file_id, rows.filter(pc.equal(rows["file_id"].cast(pa.string()), file_id))


def _marked(rows: pa.Table, orders: Orders) -> pa.Table:
    """Held records with the column `decision`: dropped, or null while nobody has said anything."""
    dropped = pc.is_in(rows["event_id"], pa.array(sorted(orders.dropped), pa.string()))
    decision = pc.if_else(dropped, "dropped", pa.scalar(None, pa.string()))
    others = [name for name in rows.column_names if name != "decision"]
    return rows.select(others).append_column("decision", decision)


def _write_held(run: Run, rows: pa.Table, name: str) -> DataFile:
    """Write held records of one source."""
    source = rows["source"][0].as_py()
    orders = read_quarantine_orders(run.lake).get(source, Orders())
    schema = _schema(run)
    rows = _marked(rows, orders).select(schema.names).cast(schema)
    path = f"tables/quarantine/source={source}/{name}.parquet"
    target = run.lake.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, target, compression="zstd")
    waits = rows.filter(pc.equal(rows["reason"], "in_future"))
    times = waits["event_time"].cast(pa.int64()).to_numpy()
    next_us = int(np.min(times)) if len(times) else None
    meta = {"next_us": next_us, "orders": orders.fingerprint}
    return DataFile(path, len(rows), {"source": source}, meta)


def held_files(run: Run, tables: Iterable[pa.Table]) -> list[DataFile]:
    """Write newly held records, one file a source."""
    by_source: dict[str, list[pa.Table]] = defaultdict(list)
    for rows in tables:
        by_source[rows["source"][0].as_py()].append(rows)
    return [
        _write_held(run, pa.concat_tables(parts, promote_options="permissive"), run.run_id)
        for _, parts in sorted(by_source.items())
    ]
