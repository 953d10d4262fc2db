"""A source that loses a required field stops the run; other changes of its fields are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Config
from contracts.errors import SchemaBroken
from contracts.lake import Lake
from footpath.drifting import drift_results
from tests.spine import configure, ingest, start

RULE = {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}}


def project(folder: Path, time: str | dict[str, list[str]] = "$.at") -> Config:
    source = {
        "paths": "data/*.jsonl",
        "format": "jsonl",
        "channel": {"const": "web"},
        "fields": {"event_time": time, "event_type": "$.kind"},
        "identifiers": {"user_id": "$.user"},
    }
    return configure(folder, sources={"web": source}, touchpoints=[RULE])


def deliver(folder: Path, name: str, time: str = "at", **more: Any) -> None:
    records = [
        {time: f"2026-01-01T00:00:{n:02}Z", "kind": "buy", "user": n} | more for n in range(30)
    ]
    path = folder / "data" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


def test_a_renamed_time_stops_the_run_until_the_declaration_follows(tmp_path: Path) -> None:
    """The producer renames the field: exit code 10, nothing changes; a mended declaration reads all anew."""
    deliver(tmp_path, "1", "at")
    ingest(project(tmp_path))
    deliver(tmp_path, "2", "happened_at")
    with pytest.raises(SchemaBroken, match="event_time or event_type: in none of 30 new") as told:
        start(project(tmp_path))
    assert told.value.exit_code == 10
    assert Lake(tmp_path / "warehouse").published().version == 1
    mended = ingest(project(tmp_path, {"coalesce": ["$.at", "$.happened_at"]}))
    assert sum(file.rows for file in mended.draft.tables["events"]) == 60


def test_raw_fields_that_come_go_or_change_are_told_with_the_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fields that no declaration names, too; once, by the run that reads them."""
    deliver(tmp_path, "1", basket={"total": 5}, old="x")
    first = ingest(project(tmp_path))
    assert drift_results(first.draft) == []
    deliver(tmp_path, "2", basket={"total": "5.00 EUR"}, coupon="SAVE")
    second = ingest(project(tmp_path))
    (found,) = drift_results(second.draft)
    assert (found.name, found.violations, found.refuses) == ("drift.web", 3, False)
    assert [line.split(":")[1] for line in found.examples] == [
        " raw field $.basket.total is retyped", " raw field $.coupon is new", " raw field $.old is vanished",
    ]  # fmt: skip
    assert all(line in caplog.text for line in found.examples)
    deliver(tmp_path, "3", basket={"total": "7.00 EUR"}, coupon="SAVE")
    (found,) = drift_results(ingest(project(tmp_path)).draft)
    assert found.passed
