"""What people decided about customers: an append-only log beside the versions (docs/adr/0001).

``decisions/splits.jsonl`` holds one decision a line: namespace, value as the lake knows it (a pseudonym where it is
personal), whether the identifier is split or joined again, and when that was said. The last word on an identifier
holds; the log survives roll-back and full refresh, and is an input of `resolve`.
"""

from __future__ import annotations

import json
from datetime import datetime

from contracts.lake import Lake

__all__ = ["append_split", "read_splits"]


def append_split(lake: Lake, namespace: str, value: str, split: bool, at: datetime) -> None:
    """Add a decision: the identifier ties nobody from now on, or is joined again."""
    path = lake.root / "decisions" / "splits.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    decision = {"namespace": namespace, "value": value, "split": split, "at": at.isoformat()}
    with path.open("a", encoding="utf-8") as log:
        log.write(json.dumps(decision, sort_keys=True) + "\n")


def read_splits(lake: Lake) -> tuple[tuple[str, str], ...]:
    """Identifiers (namespace, value) that are split, sorted."""
    try:
        text = (lake.root / "decisions" / "splits.jsonl").read_text("utf-8")
    except FileNotFoundError:
        return ()
    latest = {}
    for line in text.splitlines():
        decision = json.loads(line)
        latest[decision["namespace"], decision["value"]] = decision["split"]
    return tuple(sorted(identifier for identifier, split in latest.items() if split))
