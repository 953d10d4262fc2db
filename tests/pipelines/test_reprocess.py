"""A mended declaration, read from a day on, gives the tables of one run that was mended from the start."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.config import Config
from contracts.errors import InputError
from pipelines.job import Reprocess, Run, run_stage
from tests.pipelines.test_increments import BASE, column, deliver, event, project
from tests.spine import STAGES, difference, ingest, ledger_sums, publish, stage, table
from tests.worlds import World, configured, give

RENAMED = {"fields": {**BASE["fields"], "event_type": {"coalesce": ["$.e", "$.kind"]}}}


def reprocess(
    config: Config, since: str, source: str = "web", stages: Sequence[str] = STAGES
) -> Run:
    """Reprocess and make the outcome the current version (without database and report)."""
    run = Run.begin(config, reprocess=Reprocess(source, date.fromisoformat(since)))
    for name in stages:
        run_stage(run, stage(name))
    run.lake.publish(run.draft)
    return run


def reingest(config: Config, since: str) -> Run:
    """Reprocess as far as ingest goes."""
    return reprocess(config, since, stages=STAGES[:1])


def age(folder: Path) -> None:
    """Files that were delivered long ago: their records alone say how old they are."""
    for path in (folder / "data").rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def on(day: int, number: int, got: str = "", **more: Any) -> dict[str, Any]:
    received = got or f"2025-05-{day + 1:02}"
    return event(number, received, t=f"2025-05-{day:02}T10:00:00Z", **more)


def days_of_a_renamed_field(folder: Path) -> None:
    """Four days; from the third on the producer calls `e` kind. A copy of each day comes with the next."""
    for day in range(1, 5):
        late = on(max(1, day - 1), 10 * (day - 1), got="2025-05-09")
        records = [*(on(day, 10 * day + n) for n in range(5)), late]
        if day > 2:
            records = [{("kind" if k == "e" else k): v for k, v in r.items()} for r in records]
        deliver(folder, f"web/{day}.jsonl", records)
    deliver(folder, "shop/1.jsonl", [event(n) for n in range(4)])
    age(folder)


def test_dead_letters_of_a_renamed_field_become_events(tmp_path: Path):
    """Only files from that day on are read, those that hold nothing of it stay as they are, all tables are those of one
    mended run, and no dead letter is left.
    """
    days_of_a_renamed_field(tmp_path / "a")
    broken = publish(project(tmp_path / "a", web={}, shop={}))
    assert len(table(broken, "dead_letters")) == 12
    before = {p: p.read_bytes() for p in broken.lake.paths(broken.draft, "events")}
    mended = reprocess(project(tmp_path / "a", web=RENAMED, shop={}), "2025-05-03")
    assert mended.log[0]["counters"]["files_read"] == 2
    kept = set(mended.draft.names("events")) & set(broken.draft.names("events"))
    assert len(kept) == 3  # two days of web, one of the shop
    assert {p: p.read_bytes() for p in before} == before, "a published file was changed"
    assert len(table(mended, "dead_letters")) == 0
    ledger_sums(mended)
    days_of_a_renamed_field(tmp_path / "b")
    whole = publish(project(tmp_path / "b", web=RENAMED, shop={}))
    assert difference(whole, mended) == {}
    assert ledger_sums(whole) == ledger_sums(mended)
    idle = publish(project(tmp_path / "a", web=RENAMED, shop={}))
    assert all(entry["skipped"] for entry in idle.log)


def test_a_copy_in_an_older_file_takes_the_place_of_one_that_is_another_event_now(tmp_path: Path):
    """The mended id makes the staying copy another event: the copy that had lost to it, in a file of older days,
    is read again, too, and stays.
    """
    for name in ("a", "b"):
        folder = tmp_path / name
        deliver(folder, "web/1.jsonl", [on(1, 1, got="2025-05-09", no="x1"), on(1, 2, no="x2")])
        deliver(folder, "web/2.jsonl", [on(1, 1, got="2025-05-03", no="y1"), on(2, 3, no="x3")])
        deliver(folder, "web/3.jsonl", [on(1, 4, no="x4")])
        age(folder)
    mend = {"fields": {**BASE["fields"], "event_id": {"concat": ["$.id", "$.no"]}}}
    ingest(project(tmp_path / "a", web={}))
    mended = reingest(project(tmp_path / "a", web=mend), "2025-05-02")
    assert mended.log[0]["counters"]["files_read"] == 2
    ids = [i for (i,) in column(mended, "events", "event_id")]
    assert ids == [
        "e1x1",
        "e1y1",
        "e2x2",
        "e3x3",
        "e4",
    ]  # the third file holds no record of that day


@pytest.mark.parametrize("seed", range(3))
def test_worlds_with_merges_copies_and_receipts_come_out_as_in_one_run(tmp_path: Path, seed: int):
    """Whatever the first day, after any number of runs: where the mend changes nothing that is older, every table
    is that of one run; later runs go on from there.
    """
    world, chance = World(seed, files=9), random.Random(seed)
    first, *later = world.runs(3)
    give(tmp_path / "a", first)
    config = configured(tmp_path / "a")
    publish(config)
    source = chance.choice(["web", "till"])
    fields = config.sources[source].fields.model_dump(mode="json", exclude_none=True)
    mend = {
        "event_type": {"coalesce": ["$.e", "$.kind"]},
        "value": {"coalesce": ["$.v", "$.amount"]},
    }
    sources = {
        name: given.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        for name, given in config.sources.items()
    }
    sources[source]["fields"] = fields | mend
    changed = configured(tmp_path / "a", sources=sources)
    mended = reprocess(changed, chance.choice(["2025-05-04", "2025-05-06", "2025-05-08"]), source)
    ledger_sums(mended)
    for files in later:
        give(tmp_path / "a", files)
        mended = publish(changed)
    give(tmp_path / "b", world.files)
    whole = publish(configured(tmp_path / "b", sources=sources))
    assert difference(whole, mended) == {}
    assert ledger_sums(whole) == ledger_sums(mended)


def test_held_records_are_read_again_whatever_their_time(tmp_path: Path):
    """A time that was read as seconds instead of milliseconds: what was held as too old are events now."""
    for name in ("a", "b"):
        deliver(tmp_path / name, "web/1.jsonl", [event(1), event(2, t="2025-05-01")])
        deliver(tmp_path / name, "web/2.jsonl", [event(3, t="1970-01-02T00:00:00Z")])
        age(tmp_path / name)
    publish(project(tmp_path / "a", web={}))
    shifted = {"sql": "CASE WHEN {$.t} < '2000' THEN '2025-05-03' ELSE {$.t} END"}
    mend = {"fields": {**BASE["fields"], "event_time": shifted}}
    mended = reprocess(project(tmp_path / "a", web=mend), "2025-06-01")
    assert mended.log[0]["counters"]["files_read"] == 1
    assert len(table(mended, "quarantine")) == 0
    assert difference(publish(project(tmp_path / "b", web=mend)), mended) == {}


def test_what_cannot_be_told_apart_is_read_whole(tmp_path: Path):
    """Another attribute is a column of every file; statements of consent do not name their file; without a version
    there is nothing to keep. Then everything is read, which is right, too.
    """
    deliver(tmp_path, "web/1.jsonl", [event(1), event(2)])
    deliver(tmp_path, "web/2.jsonl", [event(3, t="2025-05-05T00:00:00Z", says="no", color="red")])
    age(tmp_path)
    first = reingest(project(tmp_path, web={}), "2025-05-05")
    assert first.log[0]["counters"]["files_read"] == 2
    coloured = {"attributes": {"color": "$.color"}}
    run = reingest(project(tmp_path, web=coloured), "2025-05-05")
    assert run.log[0]["counters"]["files_read"] == 2
    consent = {"consent": {"field": "$.says", "withdrawn": ["no"], "missing": "accept"}}
    ingest(project(tmp_path, web=coloured | consent))
    run = reingest(project(tmp_path, web=coloured | consent), "2025-05-05")
    assert run.log[0]["counters"]["files_read"] == 2
    ledger_sums(run)


def test_a_file_that_is_gone_cannot_be_read_again(tmp_path: Path):
    """Nothing is touched; a file that is not concerned may be gone."""
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    deliver(tmp_path, "web/2.jsonl", [event(2, t="2025-05-05T00:00:00Z")])
    age(tmp_path)
    ingest(project(tmp_path, web={}))
    (tmp_path / "data/web/2.jsonl").unlink()
    with pytest.raises(InputError, match=r"2\.jsonl"):
        reingest(project(tmp_path, web=RENAMED), "2025-05-05")
    run = reingest(project(tmp_path, web=RENAMED), "2025-05-06")
    assert run.log[0]["counters"].get("files_read", 0) == 0
    assert isinstance(table(run, "events"), pa.Table)
    assert len(table(run, "events")) == 2
