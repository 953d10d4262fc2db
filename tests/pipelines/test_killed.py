"""All or nothing: killed anywhere, readers keep what was published, and running again completes
it.
"""

from __future__ import annotations

import os
import shutil
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
from tests.spine import PRESETS, add_files, configure, difference, publish, raw_files
from transforms.deduplicate import _DeduplicateBucket
from transforms.write_events import _WriteDay

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def first_half(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> Path:
    """A project that has published half of the files."""
    folder = tmp_path_factory.mktemp("half")
    add_files(folder, raw_files(retailer)[::2])
    publish(configure(folder))
    return folder


@pytest.fixture
def half(tmp_path: Path, first_half: Path, retailer: Path) -> Config:
    """A copy of that project's warehouse, which was delivered the rest; the first half is where it was."""
    shutil.copytree(first_half / "warehouse", tmp_path / "warehouse", symlinks=True)
    add_files(tmp_path, raw_files(retailer)[1::2])
    sources = {
        name: {"preset": preset, "paths": [f"{first_half}/data/{name}/*", f"data/{name}/*"]}
        for name, preset in PRESETS.items()
    }
    return configure(tmp_path, sources=sources)


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


@pytest.mark.usefixtures("unasked")
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
