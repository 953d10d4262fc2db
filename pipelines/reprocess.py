"""Reprocessing: which files of a source a mended declaration concerns, and the lake without them.

A mapping is mended because the source changed on some day. Files whose records are all older say under the new
declaration what they said under the old one; that is the promise of whoever orders it. The others are *withdrawn*:
their events, dead letters and held records leave the tables, and ingest reads them as if it had never seen them. A file
is withdrawn if

- it was changed on that day or later, or holds an accepted record of that day or later (the index of copies knows, of
  duplicates too);
- or something in it may be of any day: a dead letter, a held record, or nothing that was accepted;
- or it holds a copy of an event whose staying copy is in a withdrawn file: that copy may have to take its place, and of
  copies that lost only the key is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.sql_text import literal
from models.engine import query
from pipelines.job import Run

__all__ = ["Withdrawn", "withdrawn_files"]

_EPOCH = date(1970, 1, 1)


class Withdrawn:
    """Files of one source that are to be read again, and the days on which the lake has events of them."""

    def __init__(self, source: str, file_ids: Iterable[str], days: Iterable[int]) -> None:
        self.source = source
        self.file_ids = frozenset(file_ids)
        self.days = tuple(sorted(days))
        """Days since 1970."""

    @property
    def copies(self) -> tuple[str, ...]:
        """As the index of copies names them."""
        return tuple(f"{self.source}/{file_id}" for file_id in sorted(self.file_ids))

    def rows(self, source: str, rows: pa.Table) -> np.ndarray:
        """Which rows of a table of records of a source are theirs: ndarray of bool."""
        if source != self.source:
            return np.zeros(len(rows), bool)
        file_ids = rows["file_id"].cast(pa.string())
        found: np.ndarray = pc.is_in(
            file_ids, pa.array(sorted(self.file_ids), pa.string())
        ).to_numpy()
        return found

    def holds(self, source: str, file_id: str) -> bool:
        """Whether a file is among them."""
        return source == self.source and file_id in self.file_ids


def withdrawn_files(
    run: Run, source: str, since: date, ledger: Iterable[dict[str, Any]]
) -> Withdrawn:
    """What of the published lake a mended declaration of `source` concerns, from a day on (UTC)."""
    start = datetime.combine(since, time(), UTC)
    first_day = (since - _EPOCH).days
    concerned = {
        row["file_id"]
        for row in ledger
        if row["source"] == source
        and (
            row["modified_at"] >= start
            or row["dead_letters"]
            or row["quarantined"]
            or not row["events"] + row["duplicates"]
        )
    }
    days: dict[str, set[int]] = defaultdict(set)
    beside: dict[str, set[str]] = defaultdict(set)
    for path in run.lake.paths(run.base, "event_keys"):
        holding, beaten = _copies(pq.read_table(path, partitioning=None), source)
        for row in holding:
            if row["day"] >= first_day:
                concerned.add(row["file_id"])
            if row["stays"]:
                days[row["file_id"]].add(row["day"])
        for row in beaten:
            beside[row["staying"]].add(row["lost"])
    waiting = list(concerned)
    while waiting:
        new = beside[waiting.pop()] - concerned
        concerned |= new
        waiting += new
    return Withdrawn(source, concerned, {day for file_id in concerned for day in days[file_id]})


def _copies(index: pa.Table, source: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Of a bucket of the index: files and days; and files with a copy that stays where another's lost."""
    prefix = f"{source}/"
    found = query(
        f"SELECT key, key_rest, stays, day, (copy::VARCHAR)[{len(prefix) + 1}:] AS file_id "
        f"FROM keys WHERE starts_with(copy::VARCHAR, {literal(prefix)})",
        keys=index,
    )
    holding = "SELECT file_id, day, bool_or(stays) AS stays FROM found GROUP BY ALL"
    beaten = (
        "SELECT DISTINCT staying.file_id AS staying, lost.file_id AS lost FROM found AS staying "
        "JOIN found AS lost USING (key, key_rest) "
        "WHERE staying.stays AND NOT lost.stays AND staying.file_id <> lost.file_id"
    )
    return tuple(query(sql, found=found).to_pylist() for sql in (holding, beaten))
