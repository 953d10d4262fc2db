"""The graph job: every declared slice holds every journey, however the customers are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.config import Config
from contracts.errors import StageOrderError
from contracts.loading import load_config
from pipelines.job import Run, run_stage
from tests.pipelines.test_increments import BASE, RULES, deliver
from tests.spine import publish, stage, start, table

SEGMENTS = ["entry_channel", "device", "month", "persona"]
ALL_STAGES = ("ingest", "resolve", "sessionize", "journeys", "personas", "graph")
TABLES = ("stages", "transitions", "attribution")


def project(folder: Path, buckets: int = 3, **changes: Any) -> Config:
    attributes = {"device": "$.d", "campaign": "$.c"}
    document = {
        "project": "Test",
        "as_of": "2026-03-01T00:00:00Z",
        "sources": {"web": {**BASE, "paths": "data/web/*", "attributes": attributes}},
        "touchpoints": RULES,
        "graph": {"segments": SEGMENTS},
        "lake": {"buckets": buckets},
    }
    path = folder / f"footpath{buckets}.yml"
    path.write_text(
        json.dumps(document | {"warehouse": f"warehouse{buckets}"} | changes), encoding="utf-8"
    )
    return load_config(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred customers in January and February; some have no device, some a campaign."""
    folder = tmp_path_factory.mktemp("graph")
    rng = np.random.default_rng(3)
    records = []
    for user in range(100):
        day, hour = int(rng.integers(1, 58)), 0
        for step in range(int(rng.integers(1, 6))):
            hour += int(rng.integers(0, 3))
            month, of_month = divmod(day - 1, 31)
            records.append(
                {
                    "id": f"{user}-{step}",
                    "t": f"2026-{month + 1:02d}-{of_month + 1:02d}T{hour:02d}:{step:02d}:00Z",
                    "e": "buy" if step and rng.random() < 0.3 else "look",
                    "v": "5.00",
                    "u": str(user),
                    "d": "phone" if user % 3 else None,
                    "c": "spring" if rng.random() < 0.3 else None,
                }
            )
    deliver(folder, "web/a.jsonl", records)
    return folder


def tables(run: Run) -> dict[str, list[dict[str, Any]]]:
    from tests.spine import table

    return {name: table(run, name).to_pylist() for name in TABLES}


@pytest.fixture(scope="module")
def graph(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Tables of the graph, counted in three buckets."""
    return tables(start(project(folder), stages=ALL_STAGES))


def test_slices_hold_every_journey(graph: dict[str, list[dict[str, Any]]]) -> None:
    """At every level, each segment's journeys add up to all; who has no device is in (none)."""
    begun: dict[tuple[str, str], int] = {}
    for row in graph["transitions"]:
        if row["source_node"] == "START":
            key = row["level"], row["segment"]
            begun[key] = begun.get(key, 0) + row["count"]
    assert set(begun) == {
        (level, segment)
        for level in ("stage", "touchpoint", "channel", "session")
        for segment in ("all", *SEGMENTS)
    }
    assert len(set(begun.values())) == 1
    values = {row["segment_value"] for row in graph["stages"] if row["segment"] == "device"}
    assert values == {"phone", "(none)"}
    months = {row["segment_value"] for row in graph["stages"] if row["segment"] == "month"}
    assert months == {"2026-01", "2026-02"}


def test_the_cut_into_buckets_changes_nothing(
    graph: dict[str, list[dict[str, Any]]], folder: Path
) -> None:
    """Seven buckets instead of three: the same tables, intervals included."""
    assert tables(start(project(folder, buckets=7), stages=ALL_STAGES)) == graph


def test_what_is_young_settles_nothing(graph: dict[str, list[dict[str, Any]]]) -> None:
    """Journeys of February began within a journey gap of March: no chance to convert is told."""
    known = {
        row["segment_value"]: row["settled"]
        for row in graph["stages"]
        if (row["level"], row["segment"], row["node"]) == ("touchpoint", "month", "visit")
    }
    assert known["2026-01"] > 0 and known["2026-02"] == 0


def test_campaigns_are_credited_where_they_are_declared(
    graph: dict[str, list[dict[str, Any]]],
) -> None:
    """Campaigns are a level of attribution; all models share out the same conversions."""
    levels = {row["level"] for row in graph["attribution"]}
    assert levels == {"touchpoint", "channel", "campaign"}
    sums: dict[tuple[str, str], Any] = {}
    for row in graph["attribution"]:
        key = row["level"], row["model"]
        sums[key] = sums.get(key, 0) + row["conversions"]
    assert len(sums) == 21 and len(set(sums.values())) == 1


def test_personas_come_first(folder: Path) -> None:
    """Slices by persona can't be counted before there are personas, and the message says so."""
    run = start(project(folder, buckets=5), stages=ALL_STAGES[:4])
    with pytest.raises(StageOrderError, match="footpath personas"):
        run_stage(run, stage("graph"))


def test_days_of_events_that_are_nobodys_follow_each_other(tmp_path: Path):
    """Without a customer there is nothing to count, on the first day and on the next."""
    for day in (1, 2):
        nobody = {"id": str(day), "t": f"2026-01-0{day}T10:00:00Z", "e": "look"}
        deliver(tmp_path, f"web/{day}.jsonl", [nobody])
        run = publish(project(tmp_path, as_of=None), stages=ALL_STAGES)
        assert not run.log[-1]["skipped"]
        assert len(table(run, "events")) == day
        assert table(run, "transitions").num_rows == 0
