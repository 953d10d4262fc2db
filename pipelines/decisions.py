"""What people decided about customers: logs beside the versions (docs/adr/0001).

``decisions/splits.jsonl`` holds one decision a line: namespace, value as the lake knows it (a pseudonym where it is
personal), whether the identifier is split or joined again, and when that was said. The last word on an identifier
holds; the log survives roll-back and full refresh, and is an input of `resolve`.

``decisions/erasures.jsonl`` holds one erasure a line, in keyed hashes alone (`models.tombstones`), and is an input of
`ingest` (docs/adr/0010).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from contracts.lake import Lake, write_atomically
from models.tombstones import Tombstone

__all__ = ["append_erasure", "append_split", "forget_decisions", "read_erasures", "read_splits"]

_ERASURES = "erasures.jsonl"


def append_split(lake: Lake, namespace: str, value: str, split: bool, at: datetime) -> None:
    """Add a decision: the identifier ties nobody from now on, or is joined again."""
    path = lake.root / "decisions" / "splits.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    decision = {"namespace": namespace, "value": value, "split": split, "at": at.isoformat()}
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(decision, sort_keys=True) + "\n")


def read_splits(lake: Lake) -> tuple[tuple[str, str], ...]:
    """Identifiers (namespace, value) that are split, sorted."""
    latest = {}
    for line in _read(lake, "splits.jsonl").splitlines():
        decision = json.loads(line)
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
    for line in _read(lake, _ERASURES).splitlines():
        entry = json.loads(line)
        events = tuple((guard, event) for guard, event in entry["events"])
        found.append(Tombstone(entry["key"], tuple(entry["identifiers"]), events))
    return tuple(found)


def forget_decisions(lake: Lake, values: Collection[str]) -> int:
    """Take decisions that name one of the values out of every log but that of erasures; their number."""
    taken = 0
    for path in sorted((lake.root / "decisions").glob("*.jsonl")):
        if path.name == _ERASURES:
            continue
        lines = path.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not _names_one_of(json.loads(line), values)]
        if len(kept) < len(lines):
            write_atomically(path, "".join(kept))
            taken += len(lines) - len(kept)
    return taken


def _names_one_of(value: Any, wanted: Collection[str]) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return any(_names_one_of(inner, wanted) for inner in value)
    return value in wanted


def _read(lake: Lake, name: str) -> str:
    try:
        return (lake.root / "decisions" / name).read_text("utf-8")
    except FileNotFoundError:
        return ""
