"""Promises of the main job on generated input: nothing is lost, order does not matter, nothing
is half done.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from contracts.schemas import TABLES
from pipelines.job import Run
from tests.spine import (
    PRESETS,
    add_files,
    configure,
    difference,
    ledger_sums,
    publish,
    raw_files,
    rows,
    start,
    table,
)


def test_nothing_is_lost_by_file_and_in_sum(whole: Run):
    """Every record read is an event, a duplicate, a dead letter, quarantined or withheld."""
    sums = ledger_sums(whole)
    for column, name in (
        ("events", "events"),
        ("dead_letters", "dead_letters"),
        ("quarantined", "quarantine"),
    ):
        assert sums[column] == len(table(whole, name))


def test_counts_equal_the_generators_truth(whole: Run, retailer: Path):
    """What the ledger counts is what was planted, source by source."""
    truth = json.loads((retailer / "truth" / "summary.json").read_text("utf-8"))["sources"]
    found = {name: Counter() for name in PRESETS}
    for row in table(whole, "ingest_ledger").to_pylist():
        found[row["source"]].update({k: v for k, v in row.items() if isinstance(v, int)})
    for name, planted in truth.items():
        counts = found[name]
        assert counts["records_read"] == planted["records"], name
        assert counts["dead_letters"] == planted["malformed"], name
        assert counts["quarantined"] == planted["future"], name
        assert counts["events"] + counts["duplicates"] + counts["withheld"] == (
            planted["events"] + planted["duplicates"]
        ), name


def test_keys_are_unique(whole: Run):
    """Every table has one row per key."""
    for name in ("events", "identities", "touchpoints", "sessions", "journeys"):
        rows_of = table(whole, name).select(TABLES[name].key).to_pylist()
        repeated = [key for key, n in Counter(tuple(r.values()) for r in rows_of).items() if n > 1]
        assert not repeated, (name, repeated[:3])


def test_a_second_run_does_nothing(whole: Run):
    """With nothing new every stage is skipped and no file of the warehouse changes."""

    def files() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in whole.lake.root.rglob("*") if p.is_file()}

    before = files()
    again = start(whole.config)
    assert [entry["skipped"] for entry in again.log] == [True] * 4
    assert files() == before


def test_order_of_files_and_lines_does_not_matter(tmp_path: Path, retailer: Path, whole: Run):
    """Lines shuffled, files renamed in reverse order: the same tables."""
    files = raw_files(retailer)
    for number, file in enumerate(files):
        lines = file.read_bytes().splitlines()
        random.Random(number).shuffle(lines)
        target = tmp_path / "data" / file.parent.name
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{len(files) - number:03d}.jsonl").write_bytes(b"\n".join(lines))
    shuffled = start(configure(tmp_path))
    assert difference(whole, shuffled) == {}
    assert ledger_sums(shuffled) == ledger_sums(whole)


@pytest.mark.parametrize("threads", [1, 2])
def test_slices_buckets_and_threads_do_not_matter(
    tmp_path: Path, retailer: Path, whole: Run, monkeypatch: pytest.MonkeyPatch, threads: int
):
    """Slices of 64 KB, another number of buckets, one or two threads: the same tables."""
    monkeypatch.setattr("transforms.plan_files._BLOCK", 1 << 16)
    add_files(tmp_path, raw_files(retailer))
    config = configure(tmp_path, lake={"buckets": 16 // threads})
    config = config.model_copy(update={"lake": config.lake.model_copy(update={"slice_mb": 0})})
    cut = start(config, [f"--kernel_threads={threads}"])
    assert difference(whole, cut) == {}
    assert ledger_sums(cut) == ledger_sums(whole)


@pytest.mark.engine
def test_worker_processes_make_no_difference(tmp_path: Path, retailer: Path, whole: Run):
    """Two worker processes give the tables that one process gives."""
    add_files(tmp_path, raw_files(retailer))
    options = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    processes = start(configure(tmp_path), options)
    assert difference(whole, processes) == {}
    assert ledger_sums(processes) == ledger_sums(whole)


def test_many_runs_equal_one(tmp_path: Path, retailer: Path, whole: Run):
    """Halves of files that come one delivery after the other, the latest first, give what one run gives."""
    halves = list(_halves(raw_files(retailer), tmp_path / "halves"))
    for delivery in (halves[3::4], halves[2::4], [*halves[1::4], *halves[0::4]]):
        add_files(tmp_path, delivery)
        last = publish(configure(tmp_path))
        ledger_sums(last)
    assert difference(whole, last) == {}
    assert ledger_sums(last) == ledger_sums(whole)


def _halves(files: Iterable[Path], folder: Path) -> Iterator[Path]:
    """Each file as two."""
    for file in files:
        lines = file.read_bytes().splitlines(keepends=True)
        (folder / file.parent.name).mkdir(parents=True, exist_ok=True)
        for number, half in enumerate((lines[: len(lines) // 2], lines[len(lines) // 2 :])):
            path = folder / file.parent.name / f"{file.stem}-{number}{file.suffix}"
            path.write_bytes(b"".join(half))
            yield path


def test_a_file_under_another_name_adds_nothing(tmp_path: Path, retailer: Path, whole: Run):
    """A repeated file is all duplicates, in the same run or a later one."""
    files = raw_files(retailer)
    add_files(tmp_path, files)
    add_files(tmp_path, files[:1], rename="again-")
    config = configure(tmp_path)
    together = publish(config)
    assert difference(whole, together) == {}
    add_files(tmp_path, files[1:2], rename="later-")
    later = publish(config)
    assert difference(whole, later) == {}
    sums, expected = ledger_sums(later), ledger_sums(whole)
    extra = sums["records_read"] - expected["records_read"]
    assert extra > 0
    assert sums["duplicates"] == expected["duplicates"] + extra
    assert {k: sums[k] for k in ("events", "dead_letters")} == {
        k: expected[k] for k in ("events", "dead_letters")
    }
    assert rows(later, "events") == rows(whole, "events")
