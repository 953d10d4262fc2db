"""Versions: going back and forth, what is kept, and a full refresh that forgets nothing of the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from contracts.config import Config, Retention
from contracts.errors import InputError, LockHeld
from contracts.lake import DataFile, Lake, Manifest
from contracts.lock import locked
from footpath.running import STAGES, run_stages
from footpath.versions import retire, rollback, told
from sql.digest import digest, digest_connection
from tests.databases import rows_that_left
from tests.spine import add_files, configure, expectations_not_asked, raw_files

pytestmark = pytest.mark.usefixtures("unasked")


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> Config:
    """A warehouse with two versions: of all files but one, and of all."""
    folder = tmp_path_factory.mktemp("twice")
    config = configure(folder)
    first, *others = raw_files(retailer)
    for files in (others, [first]):
        add_files(folder, files)
        with expectations_not_asked():
            run_stages(config, STAGES, ())
    return config


def published(config: Config) -> tuple[int, dict[str, str]]:
    lake = Lake(config.warehouse)
    return lake.published().version, digest(lake.current / "footpath.duckdb")


def test_back_and_on_again(twice: Config):
    """The version gone back to is as it was, and so is the other one afterwards."""
    number, second = published(twice)
    assert list(rollback(twice)) == [f"version {number - 1} is current; it was version {number}"]
    back, first = published(twice)
    assert back == number - 1
    assert first["events"] != second["events"]
    assert list(rollback(twice, number)) == [f"version {number} is current; it was version {back}"]
    assert published(twice) == (number, second)


def test_what_is_not_there_is_not_gone_back_to(twice: Config):
    """The message says which versions there are; a warehouse that is being written is left alone."""
    number = Lake(twice.warehouse).published().version
    with pytest.raises(InputError, match=rf"no version 99; there is .*\(current: {number}\)"):
        list(rollback(twice, 99))
    with locked(twice.warehouse), pytest.raises(LockHeld):
        list(rollback(twice))


def test_a_run_after_going_back_reads_again_what_the_later_version_had(twice: Config):
    """It ends in the same tables; its version gets a number that nobody had."""
    number, second = published(twice)
    list(rollback(twice, 1))
    run = run_stages(twice, STAGES, ())
    assert published(twice) == (number + 1, second)
    assert [entry["stage"] for entry in run.log if entry["skipped"]] == []
    newest, *others = told(run.lake)
    events = sum(file.rows for file in run.draft.tables["events"])
    assert newest.startswith(f"{number + 1:06d}")
    assert f"  current  {events:,} events, " in newest
    assert not any("current" in line for line in others)


def test_a_full_refresh_rebuilds_everything_and_keeps_the_past(twice: Config):
    """All files are new, no table differs from those of the database that went on from the one before, runs and fits go
    on; who has the old database open goes on reading it, though its version is dropped.
    """
    lake = Lake(twice.warehouse)
    assert "touchpoints" in rows_that_left(lake.current / "footpath.duckdb")
    twice = twice.model_copy(update={"retention": Retention(versions=1)})
    number, before = published(twice)
    old = lake.published()
    with duckdb.connect(str(lake.current / "footpath.duckdb"), read_only=True) as reader:
        run = run_stages(twice, STAGES, (), full_refresh=True)
        assert lake.versions() == [number + 1]
        assert digest_connection(reader) == before
    assert not any(entry["skipped"] for entry in run.log)
    assert published(twice) == (number + 1, before)
    assert rows_that_left(lake.current / "footpath.duckdb") == {}
    new = lake.published()
    assert not set(new.names("events", "touchpoints", "sessions")) & set(old.names(*old.tables))
    for table in ("runs", "persona_models"):
        files = (manifest.tables[table] for manifest in (old, new))
        (rows_before,), (rows_after,) = ([file.rows for file in found] for found in files)
        assert rows_after > rows_before
    assert all(entry["skipped"] for entry in run_stages(twice, STAGES, ()).log)


def test_a_full_refresh_without_some_of_the_files_is_refused(twice: Config):
    """What is gone could not come back, so nothing is touched."""
    gone = min((twice.warehouse.parent / "data/web").iterdir())
    text = gone.read_bytes()
    gone.unlink()
    try:
        with pytest.raises(InputError, match=gone.name):
            run_stages(twice, ("ingest",), (), full_refresh=True)
    finally:
        gone.write_bytes(text)


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (Retention(), [4, 5]),
        (Retention(versions=1), [5]),
        (Retention(versions=3), [3, 4, 5]),
        (Retention(versions=1, age=timedelta(hours=36)), [4, 5]),
        (Retention(versions=1, age=timedelta(days=9)), [1, 2, 3, 4, 5]),
    ],
)
def test_versions_are_kept_by_number_and_by_age(tmp_path: Path, retention: Retention, kept: list):
    """The newest and the young stay, with their files; others go, with what only they named."""
    lake = lay(tmp_path, versions=5)
    retire(lake, retention)
    assert lake.versions() == kept
    assert sorted(int(path.stem) for path in (tmp_path / "tables/t").iterdir()) == kept


def test_the_current_version_stays_though_it_is_old(tmp_path: Path):
    """Who went back keeps what is served; what a killed clean-up left is cleaned up."""
    lake = lay(tmp_path, versions=5)
    lake.switch(2)
    (tmp_path / "versions/.000001").mkdir()
    retire(lake, Retention(versions=1))
    assert (lake.versions(), lake.published().version) == ([2, 5], 2)
    assert sorted(path.name for path in (tmp_path / "versions").iterdir()) == ["000002", "000005"]


def lay(root: Path, versions: int) -> Lake:
    """Versions a day apart, the last published now; each names a file of its own."""
    lake = Lake(root)
    (root / "tables/t").mkdir(parents=True)
    for number in range(1, versions + 1):
        path = f"tables/t/{number}.parquet"
        (root / path).write_text("")
        folder = lake.publish(Manifest(tables={"t": [DataFile(path, 1)]}))
        manifest = lake.version(number)
        then = datetime.now(UTC) - timedelta(days=versions - number)
        manifest.published_at = then.isoformat(timespec="seconds")
        (folder / "manifest.json").write_text(manifest.to_json())
    return lake
