"""The benchmarks of reliability look where they say they look."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from benchmarks.deliveries import broken_files, configure, logged, start_run, write_log
from benchmarks.splits import deal
from contracts.lake import DataFile, Lake, Manifest


def test_files_are_dealt_once_and_repeated_only_after_they_came():
    """2 to 10 runs, each with a file, the first with one of each source; a repeated file came in an earlier run."""
    raw = [Path(source, f"{day}.jsonl") for source in ("web", "store") for day in range(12)]
    runs, repeated, late = set(), 0, 0
    for seed in range(200):
        plan = deal(raw, random.Random(seed))
        runs.add(len(plan))
        assert sorted(file for run in plan for file, rename in run if not rename) == sorted(raw)
        assert {file.parent.name for file, _ in plan[0]} == {"web", "store"}
        assert all(plan)
        for number, run in enumerate(plan):
            before = {file for earlier in plan[:number] for file, _ in earlier}
            assert {file for file, rename in run if rename} <= before
            repeated += any(rename for _, rename in run)
        late += any(raw[0] == file for run in plan[1:] for file, rename in run if not rename)
    assert runs == set(range(2, 11))
    assert repeated > 200
    assert late > 100


def test_what_is_missing_or_changed_in_the_published_version_is_seen(tmp_path: Path):
    """Files of tables, their links, the database, the report: each is looked at; a new file of a new version is no
    change.
    """
    config = configure(tmp_path)
    assert broken_files(config, {}) == []
    known: dict[str, str] = {}
    publish(config.warehouse, "a")
    assert broken_files(config, known) == []
    publish(config.warehouse, "b")
    assert broken_files(config, known) == []
    (config.warehouse / "tables/links/b.parquet").write_text("other links")
    (config.warehouse / "tables/events/b.parquet").unlink()
    (config.warehouse / "current/report/index.html").unlink()
    (config.warehouse / "current/footpath.duckdb").write_text("half a")
    assert broken_files(config, known) == [
        "tables/events/b.parquet is missing",
        "tables/links/b.parquet has changed",
        "versions/000002/footpath.duckdb has changed",
        "versions/000002/report/index.html is missing",
    ]


def test_nothing_is_forked_from_a_process_with_threads(tmp_path: Path):
    """A child would have their locks and not them."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="a fork would not be sound, there are threads"):
            start_run(configure(tmp_path))
    finally:
        done.set()
        thread.join()


def test_a_log_holds_the_trials_that_count(tmp_path: Path):
    """Each is there as soon as it is over; without a file there were none."""
    log = tmp_path / "log.jsonl"
    assert logged(log) == []
    write_log(log, {"seed": 1})
    write_log(log, {"seed": 2, "problems": ["events differ"]})
    assert logged(log) == [{"seed": 1}, {"seed": 2, "problems": ["events differ"]}]


def publish(warehouse: Path, name: str) -> None:
    """A version of one file of events, with all that belongs to a version."""
    lake = Lake(warehouse)
    for path in (f"tables/events/{name}.parquet", f"tables/links/{name}.parquet"):
        (warehouse / path).parent.mkdir(parents=True, exist_ok=True)
        (warehouse / path).write_text(path)
    for path in ("report/index.html", "graph/stage.graphml", "footpath.duckdb"):
        (lake.draft_folder / path).parent.mkdir(parents=True, exist_ok=True)
        (lake.draft_folder / path).write_text(name)
    file = DataFile(
        f"tables/events/{name}.parquet", 1, {}, {"links": f"tables/links/{name}.parquet"}
    )
    lake.publish(Manifest(tables={"events": [file]}))
