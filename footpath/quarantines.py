"""``footpath quarantine``: what is held as suspicious, and orders to release or drop it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from contracts.config import Config
from contracts.errors import InputError
from contracts.lake import Lake
from contracts.lock import locked
from pipelines.decisions import append_quarantine_orders
from sql.statements import open_database

__all__ = ["held", "order"]

_SHOWN = 5


def _selected(
    database: Path, source: str | None, reason: str | None, event_id: str | None
) -> list[tuple[str, str, str, str, str | None]]:
    """Held records as rows of source, event_id, reason, event time, decision."""
    with open_database(database) as connection:
        return connection.execute(
            # A time may lie in a year that Python does not know.
            "SELECT source, event_id, reason, event_time::VARCHAR, decision FROM quarantine "
            "WHERE source = coalesce($source, source) AND reason = coalesce($reason, reason) "
            "AND event_id = coalesce($event_id, event_id) ORDER BY ALL",
            {"source": source, "reason": reason, "event_id": event_id},
        ).fetchall()


def held(
    database: Path, source: str | None, reason: str | None, event_id: str | None
) -> Iterator[str]:
    """What waits, by source and reason, with the first events of each; lines to print."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    dropped = 0
    for name, event, why, at, decision in _selected(database, source, reason, event_id):
        dropped += decision == "dropped"
        if decision is None:
            groups.setdefault((name, why), []).append((event, at))
    if not groups:
        yield "nothing is held" + (f"; {dropped:,} records were dropped" if dropped else "")
        return
    for (name, why), events in sorted(groups.items()):
        yield f"{name}  {why}  {len(events):,} records"
        for event, at in events[:_SHOWN]:
            yield f"  {event}  {at}"
        if len(events) > _SHOWN:
            yield f"  and {len(events) - _SHOWN:,} more"
    if dropped:
        yield f"{dropped:,} further records were dropped"


def order(
    config: Config,
    database: Path,
    what: str,
    source: str | None,
    reason: str | None,
    event_id: str | None,
) -> Iterator[str]:
    """Order that held records become events, or are dropped, from the next run on.

    The order names the events that are held now; it holds for them however often their files are read again.

    Raises
    ------
    InputError
        If nothing was said about which, or no such record is held.
    """
    if source is None and reason is None and event_id is None:
        raise InputError("say which records: --source, --reason, --event-id, or several of them")
    lake = Lake(config.warehouse)
    events = sorted({row[:2] for row in _selected(database, source, reason, event_id)})
    if not events:
        raise InputError("no such record is held; 'footpath quarantine list' shows what is")
    with locked(config.warehouse):
        append_quarantine_orders(lake, events, what, datetime.now(UTC))
    outcome = "will be events" if what == "release" else "will be dropped"
    yield f"{len(events):,} records {outcome} from the next 'footpath run' on"
