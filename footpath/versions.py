"""Published versions: which there are, going back to one, and which are kept.

A version is a folder with a manifest, a database and a report; readers follow ``current``. Going back switches that
link and changes nothing else. The next run starts from what is current then: files that only a later version had
read are new to it, and its own version gets the next free number.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from contracts.config import Config, Retention
from contracts.errors import InputError
from contracts.lake import Lake, Manifest
from contracts.lock import locked

__all__ = ["retire", "rollback", "told"]

_TOLD = ("events", "journeys")


def told(lake: Lake) -> Iterator[str]:
    """The versions that are there, newest first, as lines to print."""
    current = lake.published().version
    for number in reversed(lake.versions()):
        manifest = lake.version(number)
        rows = ", ".join(f"{_rows(manifest, table):,} {table}" for table in _TOLD)
        mark = "current" if number == current else ""
        yield f"{number:06d}  {manifest.published_at[:19]:<19}  {mark:<7}  {rows}"
    if not current:
        yield f"{lake.root}: nothing published yet"


def _rows(manifest: Manifest, table: str) -> int:
    return sum(file.rows for file in manifest.tables.get(table, []))


def rollback(config: Config, number: int | None = None) -> Iterator[str]:
    """Switch readers to a version, the one before the current if none is named; lines to print.

    Raises
    ------
    InputError
        If it is not there.
    LockHeld
        If a run is writing.
    """
    with locked(config.warehouse):
        lake = Lake(config.warehouse)
        current, there = lake.published().version, lake.versions()
        wanted = max((n for n in there if n < current), default=None) if number is None else number
        if wanted not in there:
            listed = ", ".join(map(str, there)) or "none"
            missing = (
                "no version before the current one" if wanted is None else f"no version {wanted}"
            )
            raise InputError(f"{lake.root}: {missing}; there is {listed} (current: {current})")
        lake.switch(wanted)
    yield f"version {wanted} is current; it was version {current}"


def retire(lake: Lake, retention: Retention) -> None:
    """Drop the versions that need not be kept, and the data files that only they named."""
    there = lake.versions()
    kept = {lake.published().version, *there[-retention.versions :]}
    if retention.age is not None:
        oldest = (datetime.now(UTC) - retention.age).isoformat(timespec="seconds")
        kept |= {number for number in there if lake.version(number).published_at >= oldest}
    lake.retire(number for number in there if number not in kept)
    lake.sweep([lake.version(number) for number in sorted(kept)])
