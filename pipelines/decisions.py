"""What people decided about customers: logs beside the versions (docs/adr/0001).

``decisions/splits.jsonl`` holds one decision a line: namespace, value as the lake knows it (a pseudonym where it is
personal), whether the identifier is split or joined again, and when that was said. The last word on an identifier
holds; the log survives roll-back and full refresh, and is an input of `resolve`.

``decisions/erasures.jsonl`` holds one erasure a line, in keyed hashes alone (`models.tombstones`), and is an input of
`ingest` (docs/adr/0010).

``decisions/quarantine.jsonl`` holds one order a line about a held record: source, event_id, release or drop, and when.
The last word on an event holds. It is an input of `ingest`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from contracts.lake import Lake, digest_of, write_atomically
from models.tombstones import Tombstone

__all__ = [
    "Orders",
    "append_erasure",
    "append_quarantine_orders",
    "append_split",
    "forget_decisions",
    "read_erasures",
    "read_quarantine_orders",
    "read_splits",
]

_ERASURES = "erasures.jsonl"


def append_split(lake: Lake, namespace: str, value: str, split: bool, at: datetime) -> None:
    """Add a decision: the identifier ties nobody from now on, or is joined again."""
    decision = {"namespace": namespace, "value": value, "split": split, "at": at.isoformat()}
    _append(lake, "splits.jsonl", [decision])


def read_splits(lake: Lake) -> tuple[tuple[str, str], ...]:
    """Identifiers (namespace, value) that are split, sorted."""
    latest = {}
    for decision in _decisions(lake, "splits.jsonl"):
        latest[decision["namespace"], decision["value"]] = decision["split"]
    return tuple(sorted(identifier for identifier, split in latest.items() if split))


def append_erasure(lake: Lake, tombstone: Tombstone, at: datetime) -> None:
    """Add an erasure; the log is replaced as a whole, so that a kill leaves it as it was or complete."""
    path = lake.root / "decisions" / _ERASURES
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(tombstone) | {"at": at.isoformat()}, sort_keys=True)
    write_atomically(path, _read(lake, _ERASURES) + line + "\n")


def read_erasures(lake: Lake) -> tuple[Tombstone, ...]:
    """All erasures, in the order in which they were asked for."""
    found = []
    for entry in _decisions(lake, _ERASURES):
        events = tuple((guard, event) for guard, event in entry["events"])
        found.append(Tombstone(entry["key"], tuple(entry["identifiers"]), events))
    return tuple(found)


def forget_decisions(
    lake: Lake, identifiers: Collection[tuple[str, str]], events: Collection[tuple[str, str]]
) -> int:
    """Take decisions about identifiers (namespace, value) and events (source, event_id) out; their number."""
    taken = 0
    for path in sorted((lake.root / "decisions").glob("*.jsonl")):
        lines = path.read_text("utf-8").splitlines(keepends=True)
        kept = []
        for line in lines:
            said = json.loads(line)
            about = (said.get("namespace"), said.get("value")) in identifiers
            if not about and (said.get("source"), said.get("event_id")) not in events:
                kept.append(line)
        if len(kept) < len(lines):
            write_atomically(path, "".join(kept))
            taken += len(lines) - len(kept)
    return taken


@dataclass(frozen=True)
class Orders:
    """What was said of held records of a source, by event_id."""

    released: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()

    @property
    def fingerprint(self) -> str:
        """A hash of all of it."""
        return digest_of(sorted(self.released), sorted(self.dropped))


def append_quarantine_orders(
    lake: Lake, events: Iterable[tuple[str, str]], order: str, at: datetime
) -> None:
    """Add orders about held events (source, event_id): release or drop."""
    lines = [
        {"source": source, "event_id": event_id, "order": order, "at": at.isoformat()}
        for source, event_id in events
    ]
    _append(lake, "quarantine.jsonl", lines)


def read_quarantine_orders(lake: Lake) -> dict[str, Orders]:
    """Orders by source."""
    latest = {
        (decision["source"], decision["event_id"]): decision["order"]
        for decision in _decisions(lake, "quarantine.jsonl")
    }
    return {
        source: Orders(
            *(
                frozenset(e for (s, e), said in latest.items() if s == source and said == order)
                for order in ("release", "drop")
            )
        )
        for source in {source for source, _ in latest}
    }


def _append(lake: Lake, name: str, decisions: list[dict[str, Any]]) -> None:
    path = lake.root / "decisions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(decision, sort_keys=True) + "\n" for decision in decisions)


def _decisions(lake: Lake, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _read(lake, name).splitlines()]


def _read(lake: Lake, name: str) -> str:
    try:
        return (lake.root / "decisions" / name).read_text("utf-8")
    except FileNotFoundError:
        return ""
