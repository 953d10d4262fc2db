"""All or nothing: killed anywhere, readers keep what was published, and running again completes
it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import models.touchpoints
from contracts.config import Config
from contracts.errors import LockHeld
from contracts.lake import Lake
from contracts.lock import locked
from footpath.running import STAGES, run_stages
from pipelines.job import Run
from sql.digest import digest
from tests.spine import add_files, configure, difference, publish, raw_files
from transforms.deduplicate import _DeduplicateBucket
from transforms.write_events import _WriteDay

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def half(tmp_path: Path, retailer: Path) -> Config:
    """A project that has published half of the files and was delivered the rest."""
    files = raw_files(retailer)
    add_files(tmp_path, files[::2])
    config = configure(tmp_path)
    publish(config)
    add_files(tmp_path, files[1::2])
    return config


def published(config: Config) -> dict[str, bytes]:
    """Every file that the published manifest names, and the manifest."""
    lake = Lake(config.warehouse)
    manifest = lake.published()
    paths = [lake.path(file) for files in manifest.tables.values() for file in files]
    return {str(p): p.read_bytes() for p in [lake.current / "manifest.json", *paths]}


@pytest.mark.parametrize(
    ("owner", "kernel"),
    [(_WriteDay, "__call__"), (_DeduplicateBucket, "_index"), (models.touchpoints, "_fold")],
)
def test_a_kernel_that_fails_changes_nothing_and_the_next_run_completes(
    half: Config, whole: Run, monkeypatch: pytest.MonkeyPatch, owner: Any, kernel: str
):
    """The second call fails: the published version is untouched, and the next run equals a whole
    one.
    """
    before = published(half)
    original = getattr(owner, kernel)
    calls: list[int] = []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the lights went out")
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(owner, kernel, failing)
        with pytest.raises(Exception, match="the lights went out"):
            publish(half)
    assert published(half) == before
    assert difference(whole, publish(half)) == {}


_KILLED = """
import os, signal, sys
import transforms.write_events as write_events
from contracts.loading import load_config
from footpath.running import run_stages

finish = write_events._FileWriter.finish
calls = []

def dying(self):
    calls.append(1)
    if len(calls) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return finish(self)

write_events._FileWriter.finish = dying
run_stages(load_config(sys.argv[1]), ("ingest",), ("--kernel_threads=1",))
"""


def test_a_process_killed_in_the_middle_of_a_stage(half: Config, whole: Run):
    """SIGKILL while files are written: no lock is left, nothing published has changed, and the
    next run completes it.
    """
    before = published(half)
    outcome = subprocess.run(
        [sys.executable, "-c", _KILLED, str(half.warehouse.parent / "footpath.yml")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr.decode()[-2000:]
    assert published(half) == before
    assert difference(whole, publish(half)) == {}


def test_killed_between_building_and_switching_the_version(
    tmp_path: Path, retailer: Path, monkeypatch: pytest.MonkeyPatch
):
    """The next run has nothing to build and still publishes; a run after that does nothing at
    all.
    """
    add_files(tmp_path, raw_files(retailer))
    config = configure(tmp_path)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            run_stages(config, STAGES, ())
    assert Lake(config.warehouse).published().version == 0
    run = run_stages(config, STAGES, ())
    assert all(entry["skipped"] for entry in run.log)
    assert Lake(config.warehouse).published().version == 1
    database = Lake(config.warehouse).current / "footpath.duckdb"
    first = digest(database)
    run_stages(config, STAGES, ())
    assert Lake(config.warehouse).published().version == 1
    add_files(tmp_path, raw_files(retailer)[:1], rename="again-")
    run_stages(config, STAGES, ())
    assert Lake(config.warehouse).published().version == 2, "the ledger has a new file"
    assert digest(database) == first


def test_two_runs_at_once_are_refused(tmp_path: Path):
    """The second says who holds the warehouse and leaves it alone."""
    config = configure(tmp_path)
    with locked(config.warehouse), pytest.raises(LockHeld, match="wait for it"):
        run_stages(config, ("ingest",), ())
