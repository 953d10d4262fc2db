"""``footpath reprocess``: files of a source read again after its declaration was mended (`pipelines.reprocess`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from contracts.config import Config
from contracts.errors import InputError
from pipelines.job import Reprocess, Run

__all__ = ["ordered", "outcome"]

_SHOWN = (
    "records_read",
    "events",
    "duplicates",
    "dead_letters",
    "quarantined",
    "withheld",
    "erased",
)


def ordered(config: Config, source: str, since: date) -> Reprocess:
    """The order to read files of a source again.

    Raises
    ------
    InputError
        If there is no such source.
    """
    if source not in config.sources:
        known = ", ".join(config.sources)
        raise InputError(f"there is no source {source!r}; there are: {known}")
    return Reprocess(source, since)


def outcome(run: Run, source: str) -> Iterator[str]:
    """What became of the source's records, before and now; lines to print."""
    before, now = (
        _totals(run.lake.paths(manifest, "ingest_ledger"), source)
        for manifest in (run.base, run.draft)
    )
    yield f"{run.log[0]['counters'].get('files_read', 0):,} files were read again"
    for name in _SHOWN:
        if before[name] or now[name]:
            yield f"{source}: {before[name]:>12,} {name.replace('_', ' ')} before, {now[name]:,} now"


def _totals(ledger: Iterable[Path], source: str) -> Counter[str]:
    totals: Counter[str] = Counter()
    for path in ledger:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        for row in rows:
            if row["source"] == source and not row["again"]:
                totals.update({name: row[name] for name in _SHOWN if name in row})
    return totals
