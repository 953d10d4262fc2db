"""Tiny worlds full of what makes increments hard, dealt to runs: for tests that compare these with one run.

Customers share tablets, logins come late and merge or split customers, copies received earlier arrive later, receipts
have several lines, consent is withdrawn and given again, and some events are ignored by rule or match none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contracts.config import Config
from contracts.loading import load_config
from tests.pipelines.test_increments import deliver

__all__ = ["World", "configured"]

START = datetime(2025, 5, 1, tzinfo=UTC)
_FIELDS = {
    "event_id": "$.id",
    "event_time": "$.t",
    "ingest_time": "$.got",
    "event_type": "$.e",
    "value": "$.v",
    "transaction_id": "$.r",
    "csat": "$.c",
}
_IDS = {"user_id": "$.u", "email": "$.m", "anonymous_id": "$.d"}
_SOURCE = {"format": "jsonl", "fields": _FIELDS, "identifiers": _IDS}
_SAYS = {"field": "$.says", "granted": ["yes"], "withdrawn": ["no"]}
_SOURCES: dict[str, dict[str, Any]] = {
    "web": {"channel": {"const": "web"}},
    "till": {"channel": {"const": "store"}, "lines_of_receipt": True},
    "cmp": {"channel": {"const": "web"}, "consent": _SAYS},
}
_RULES = [
    {"ignore": True, "when": {"event_type": "beacon"}},
    {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}},
    {"touchpoint": "search", "stage": "consideration", "when": {"event_type": "find"}},
    {"touchpoint": "visit", "stage": "awareness", "when": {"event_type": "page"}},
]


def configured(folder: Path, **changes: Any) -> Config:
    """A project in `folder` for worlds; `changes` replace whole sections."""
    document = {
        "project": "Test",
        "sources": {n: {**_SOURCE, "paths": f"data/{n}/*", **s} for n, s in _SOURCES.items()},
        "touchpoints": _RULES,
        "journey": {"gap": "12h", "conversion": "purchase"},
        "identity": {"within": "2h"},
        "lake": {"buckets": 4},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "footpath.yml"
    path.write_text(json.dumps(document | changes), encoding="utf-8")
    for source in _SOURCES:
        deliver(folder, f"{source}/0.jsonl", [])
    return load_config(path)


class World:
    """A world of `events` events, the same for the same seed, in files of some hours, source by source."""

    def __init__(self, seed: int, events: int = 300, files: int = 14) -> None:
        chance = random.Random(seed)
        by_source: dict[str, list[dict[str, Any]]] = {name: [] for name in _SOURCES}
        for number in range(events):
            source = chance.choices(list(_SOURCES), [12, 4, 1 if seed % 2 else 0])[0]
            by_source[source].append(_event(chance, source, number))
            if chance.random() < 0.06:
                copy = by_source[source][-1] | {"got": _at(chance.uniform(-30, 30)), "e": "find"}
                by_source[source].append(copy)
        self.files: list[tuple[str, list[dict[str, Any]]]] = []
        for source, records in by_source.items():
            share = max(1, round(files * len(records) / events))
            tidy = seed % 3  # of two worlds in three the files are of days, late events aside
            records.sort(
                key=lambda r: (
                    r["t"] if tidy and chance.random() < 0.9 else _at(chance.uniform(0, 90))
                )
            )
            for number in range(share):
                of_file = records[
                    number * len(records) // share : (number + 1) * len(records) // share
                ]
                self.files.append((f"{source}/{number + 1:02d}.jsonl", of_file))
        self._chance = chance

    def runs(self, most: int = 4) -> list[list[tuple[str, list[dict[str, Any]]]]]:
        """The files dealt to runs."""
        dealt = self._chance.sample(self.files, len(self.files))
        cuts = sorted(self._chance.sample(range(1, len(dealt)), self._chance.randint(1, most - 1)))
        return [dealt[i:j] for i, j in zip([0, *cuts], [*cuts, len(dealt)], strict=True)]


def give(folder: Path, files: Iterable[tuple[str, list[dict[str, Any]]]]) -> None:
    """Deliver files to a project."""
    for name, records in files:
        deliver(folder, name, records)


def _at(hours: float) -> str:
    return (START + timedelta(hours=100 + round(hours, 3))).isoformat()


def _event(chance: random.Random, source: str, number: int) -> dict[str, Any]:
    person = chance.randrange(5 if source == "till" else 40)
    known = {
        "u": f"u{person}" if chance.random() < 0.45 else None,
        "m": f"p{chance.choice([person, person, person, 0])}@x.org"
        if chance.random() < 0.2
        else None,
        "d": f"d{chance.choice([person, person, person // 3 + 20])}"
        if chance.random() < 0.8
        else None,
    }
    hours = chance.uniform(0, 90)
    found = {
        "id": f"{source}{number}",
        "t": _at(hours),
        "got": _at(hours + 1),
        "e": chance.choices(["page", "find", "buy", "beacon", "odd"], [8, 4, 2, 1, 1])[0],
        "v": f"{chance.randrange(500) / 100}",
        "c": chance.choice([None, None, "0.5", "1"]),
        **known,
    }
    if source == "till":
        found |= {"r": f"r{person}-{chance.randrange(2)}", "e": "buy"}
    if source == "cmp":
        found["says"] = chance.choice(["yes", "no"])
    return found
