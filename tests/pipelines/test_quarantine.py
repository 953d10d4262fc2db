"""Held records are let go by time or by order, whichever comes first and however the files came."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from contracts.config import Config
from pipelines.decisions import append_quarantine_orders
from tests.spine import configure, ingest, ledger_sums, rows, table

SOURCE = {
    "paths": "data/web/*.jsonl",
    "format": "jsonl",
    "channel": {"const": "web"},
    "fields": {"event_id": "$.id", "event_time": "$.at", "event_type": "$.kind", "ingest_time": "$.got"},
    "identifiers": {"user_id": "$.user"},
}  # fmt: skip
RULE = {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}}


def project(folder: Path, as_of: str = "2026-02-01T00:00:00Z") -> Config:
    return configure(
        folder,
        as_of=as_of,
        sources={"web": SOURCE, "shop": SOURCE | {"paths": "data/shop/*.jsonl"}},
        touchpoints=[RULE],
    )


def deliver(folder: Path, name: str, *records: dict[str, Any]) -> None:
    for source in ("web", "shop"):
        path = folder / "data" / source / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"kind": "buy", "user": "u1"} | record) for record in records]
        path.write_text("\n".join(lines), encoding="utf-8")


PAST = {"id": "past", "at": "2026-01-01T00:00:00Z"}
OLD = {"id": "old", "at": "1999-01-01T00:00:00Z"}
SOON = {"id": "soon", "at": "2026-03-01T00:00:00Z", "got": "2026-01-02T00:00:00Z"}
SOON_AGAIN = SOON | {"got": "2026-01-01T00:00:00Z", "kind": "look"}
NEVER = {"id": "never", "at": "290000-03-01T00:00:00Z"}


def test_time_lets_future_records_go(tmp_path: Path) -> None:
    """With `as_of` moved past them they are events, as if they had been read now; copies of them compete."""
    deliver(tmp_path / "a", "1", PAST, SOON, OLD, NEVER)
    deliver(tmp_path / "a", "2", SOON_AGAIN)
    first = ingest(project(tmp_path / "a"))
    assert ledger_sums(first)["quarantined"] == 8
    again = ingest(project(tmp_path / "a", "2026-04-01T00:00:00Z"))
    assert ledger_sums(again) == {
        "records_read": 10, "events": 4, "duplicates": 2, "dead_letters": 0, "quarantined": 4, "withheld": 0,
        "erased": 0,
    }  # fmt: skip
    deliver(tmp_path / "b", "1", PAST, SOON, OLD, NEVER)
    deliver(tmp_path / "b", "2", SOON_AGAIN)
    at_once = ingest(project(tmp_path / "b", "2026-04-01T00:00:00Z"))
    for name in ("events", "quarantine"):
        assert rows(again, name) == rows(at_once, name)
    kinds = {r["event_id"]: r["event_type"] for r in table(again, "events").to_pylist()}
    assert kinds["soon"] == "look"
    idle = ingest(project(tmp_path / "a", "2026-04-01T00:00:00Z"))
    assert idle.log[0]["skipped"]


def test_orders_hold_before_and_after_a_record_comes(tmp_path: Path) -> None:
    """Released and dropped records end in the same places, whether held first or ordered first."""
    at = datetime(2026, 2, 1, tzinfo=UTC)

    def order(config: Config) -> None:
        from contracts.lake import Lake

        lake = Lake(config.warehouse)
        append_quarantine_orders(lake, [("web", "old"), ("web", "never")], "release", at)
        append_quarantine_orders(lake, [("web", "soon")], "drop", at)

    deliver(tmp_path / "a", "1", PAST, SOON, OLD, NEVER)
    ingest(project(tmp_path / "a"))
    order(project(tmp_path / "a"))
    held_first = ingest(project(tmp_path / "a"))
    deliver(tmp_path / "b", "1", PAST, SOON, OLD, NEVER)
    order(project(tmp_path / "b"))
    ordered_first = ingest(project(tmp_path / "b"))
    for name in ("events", "quarantine"):
        assert rows(held_first, name) == rows(ordered_first, name)
    assert ledger_sums(held_first) == ledger_sums(ordered_first)
    assert {(r["source"], r["event_id"]) for r in table(held_first, "events").to_pylist()} == {
        ("web", "past"), ("web", "old"), ("shop", "past"),
    }  # fmt: skip
    later = ingest(project(tmp_path / "a", "2026-04-01T00:00:00Z"))
    held = {(r["source"], r["event_id"], r["decision"]) for r in table(later, "quarantine").select(
        ["source", "event_id", "decision"]).to_pylist()}  # fmt: skip
    assert held == {("web", "never", None), ("shop", "old", None), ("shop", "never", None)}
    marks = dict(zip(*table(held_first, "quarantine").filter(
        pc.equal(table(held_first, "quarantine")["source"], "web")
    ).select(["event_id", "decision"]).to_pydict().values(), strict=True))  # fmt: skip
    assert marks == {"soon": "dropped", "never": None}
