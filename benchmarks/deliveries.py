"""A small shop that delivers a file a day and source: what `crashes.py` and `splits.py` run footpath on.

Many flaws, for flaws are what may go wrong: repeated events, broken lines, events from the future, late ones, shared
devices. Journeys end after two days of silence, so that the outcome of old journeys changes from delivery to delivery.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("FOOTPATH_KEY", "a key for benchmarks")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # or numpy starts threads, and forks want none

import footpath.expecting  # noqa: E402
from contracts.config import Config  # noqa: E402
from contracts.lake import Lake  # noqa: E402
from contracts.loading import load_config  # noqa: E402
from footpath.expecting import import_library  # noqa: E402
from footpath.generator import Scenario, generate  # noqa: E402
from footpath.running import STAGES, run_stages  # noqa: E402
from sql.check import CheckResult  # noqa: E402
from sql.digest import digest  # noqa: E402

__all__ = [
    "STAGES", "Started", "broken_files", "configure", "deliver", "digests", "logged", "make_raw", "one_of_each", "run",
    "seconds", "start_run", "write_log",
]  # fmt: skip

CONFIG = """\
project: A small shop
sources:
  web: {preset: segment, paths: data/web/*}
  email: {preset: sendgrid, paths: data/email/*}
  store: {preset: shopify, paths: data/store/*, lines_of_receipt: true}
  support: {preset: zendesk, paths: data/support/*, identifiers: {user_id: $.external_id}}
journey: {gap: 2d}
graph: {segments: [entry_channel, persona, device], min_volume: 20}
lake: {buckets: 4}
"""


def make_raw(folder: Path, events: int, days: int = 8) -> list[Path]:
    """Generate the shop's raw files; returns them, sorted."""
    flaws = {
        "duplicate_share": 0.05,
        "malformed_share": 0.02,
        "future_share": 0.01,
        "late_share": 0.05,
        "household_share": 0.3,
    }
    generate(folder, Scenario(events=events, seed=5, days=days, file_days=1, **flaws))
    sources = ("web", "email", "store", "support")
    return sorted(path for source in sources for path in (folder / source).iterdir())


def one_of_each(files: Iterable[Path]) -> list[Path]:
    """The first file of each source: a run needs one, or says that a source's paths match nothing."""
    return list({file.parent: file for file in reversed(list(files))}.values())


def configure(folder: Path, config: str = CONFIG) -> Config:
    """A project in the folder, without files as yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "footpath.yml").write_text(config, encoding="utf-8")
    return load_config(folder / "footpath.yml")


def deliver(folder: Path, files: Iterable[Path], rename: str = "") -> None:
    """Put raw files where the project reads them, with the time of change that they have."""
    for file in files:
        target = folder / "data" / file.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target / (rename + file.name))


def run(config: Config, *, full_refresh: bool = False) -> None:
    """Run everything, here."""
    run_stages(config, STAGES, (), full_refresh)


def digests(config: Config) -> dict[str, str]:
    """Content hashes of the published tables."""
    return digest(Lake(config.warehouse).current / "footpath.duckdb", threads=1)


def broken_files(config: Config, known: dict[str, str]) -> list[str]:
    """Files of the published version that are missing, or are not what they were when last seen."""
    lake = Lake(config.warehouse)
    manifest = lake.published()
    if not manifest.version:
        return []
    names = {path for files in manifest.tables.values() for path in (file.path for file in files)}
    names |= {str(f.meta["links"]) for f in manifest.tables["events"]}
    names |= {
        str((lake.current / name).resolve().relative_to(lake.root.resolve())) for name in _WHOLE
    }
    broken = []
    for name in sorted(names):
        path = lake.root / name
        if not path.exists():
            broken.append(f"{name} is missing")
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        if known.setdefault(name, content) != content:
            broken.append(f"{name} has changed")
    return broken


_LOADED_LATE = (
    "footpath.erasing", "footpath.publication", "footpath.report", "models.attribution", "models.graph",
    "models.pain_points", "models.segment_differences", "models.transition_tables", "pipelines.portraits",
    "sql.publish",
    "transforms.resolve_links", "transforms.shared_devices",
)  # fmt: skip
_WHOLE = ("footpath.duckdb", "report/index.html", "graph/stage.graphml", "manifest.json")


class Started:
    """A run in a process of its own, which tells of each stage that it has finished."""

    def __init__(self, pid: int, told: int) -> None:
        self._pid, self._told = pid, told
        self.stages_done = 0

    def wait_for(self, stages: int) -> bool:
        """Wait until so many stages are done; whether it came to that before the end."""
        while self.stages_done < stages:
            if not os.read(self._told, 1):
                return False
            self.stages_done += 1
        return True

    def kill(self) -> None:
        """SIGKILL: no handler runs, no file is closed, no lock given back."""
        os.kill(self._pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait for its end; the exit status, negative if a signal ended it."""
        _, status = os.waitpid(self._pid, 0)
        os.close(self._told)
        return os.waitstatus_to_exitcode(status)


_HARMLESS_THREADS = {"jemalloc_bg_thd"}
"""Of Arrow's allocator, which knows of forks."""


def _refuse_threads() -> None:
    """A fork takes over no thread, but their locks: this process must have none.

    Raises
    ------
    RuntimeError
        If something has run here that started threads.
    """
    tasks = Path("/proc/self/task")
    names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
    if len([name for name in names if name not in _HARMLESS_THREADS]) > 1:
        raise RuntimeError(f"a fork would not be sound, there are threads: {', '.join(names)}")


def start_run(config: Config, *, full_refresh: bool = False, expectations: bool = True) -> Started:
    """Start a run as a fork of this process, which has loaded everything and has no threads.

    Without `expectations`, Great Expectations is not asked: it reads the tables and leaves nothing for later runs, and
    takes two fifths of the processor time of a small run.
    """
    for name in (*_LOADED_LATE, *(f"pipelines.{stage}" for stage in STAGES[:-1])):
        importlib.import_module(name)
    import_library()
    _refuse_threads()
    gc.freeze()  # or the child would copy what its collector looks at
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Started(pid, reading)
    status = 1
    try:
        os.close(reading)
        _tell_of_stages(lambda: os.write(writing, b"."))
        if not expectations:
            not_asked = [CheckResult("expectations", "not asked in this run", kind="expectation")]
            footpath.expecting.validate = lambda *_: not_asked
        run(config, full_refresh=full_refresh)
        status = 0
    except BaseException:  # the parent counts what ended otherwise than by its signal
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _tell_of_stages(tell: Callable[[], object]) -> None:
    import footpath.running

    run_stage = footpath.running.run_stage

    def telling(*arguments: object) -> bool:
        ran = run_stage(*arguments)  # type: ignore[arg-type]
        tell()
        return ran

    footpath.running.run_stage = telling  # type: ignore[assignment]


def logged(log: Path) -> list[dict[str, Any]]:
    """The trials that a log holds, a line each; none if there is no such file."""
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def write_log(log: Path, trial: dict[str, Any]) -> None:
    """Add a trial to a log, so that a benchmark that is stopped goes on later."""
    with log.open("a") as file:
        file.write(json.dumps(trial) + "\n")


def seconds(started: float) -> str:
    """Time since, for a log."""
    return f"{time.monotonic() - started:,.0f} s"
