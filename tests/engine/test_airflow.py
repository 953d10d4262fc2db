"""Airflow runs the DAG: by hand, by its scheduler, again, for a day of the past, and over a broken lake.

Airflow lives in an environment of its own (`make test-engine` builds it); the tests talk to it through
its command line and read the outcome from its database.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.config import Config
from contracts.lake import Lake
from footpath.generator import Scenario, generate
from footpath.running import STAGES, run_stages
from sql.digest import digest
from tests.spine import PRESETS, configure

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = Path(os.environ.get("AIRFLOW", ROOT / ".venv-airflow" / "bin" / "airflow"))
DAG = "footpath_daily"
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
TASKS = (*STAGES, "announce")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not AIRFLOW.exists(), reason=f"no Airflow at {AIRFLOW}; 'make test-engine' installs it"
    ),
]

_BROKEN = """\
import json, sys, pyarrow as pa, pyarrow.parquet as pq
from pathlib import Path
warehouse = Path(sys.argv[1])
manifest = json.loads((warehouse / "draft" / "manifest.json").read_text())
path = warehouse / manifest["tables"]["ingest_ledger"][0]["path"]
ledger = pq.read_table(path)
place = ledger.schema.get_field_index("records_read")
one_more = pa.array([n + 1 for n in ledger["records_read"].to_pylist()], pa.int64())
pq.write_table(ledger.set_column(place, ledger.schema.field(place), one_more), path)
"""


@dataclass
class Project:
    """A retailer's feed, a file a day and source; an Airflow of its own that runs the DAG over it."""

    folder: Path
    config: Config
    retailer: Path
    env: dict[str, str]

    def deliver(self, day: str) -> None:
        """The day's file of each source: the first raw file, the second, or all others."""
        for source in PRESETS:
            first, second, *others = sorted((self.retailer / source).iterdir())
            files = {DAYS[0]: [first], DAYS[1]: [second]}.get(day, others)
            target = self.folder / "data" / source / f"{day}.jsonl"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"".join(file.read_bytes() for file in files))

    def airflow(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(AIRFLOW), *arguments], env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def test_dag(self, logical_date: str, conf: dict[str, Any], **env: str) -> None:
        command = [str(AIRFLOW), "dags", "test", DAG, logical_date, "-c", json.dumps(conf)]
        done = subprocess.run(
            command, env=self.env | env, capture_output=True, text=True, check=False
        )
        (self.folder / "dags_test.log").write_text(done.stdout + done.stderr, encoding="utf-8")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Airflow's own database."""
        with contextlib.closing(
            sqlite3.connect(self.folder / "airflow" / "airflow.db")
        ) as database:
            return database.execute(sql).fetchall()

    def states(self, run_type: str) -> dict[str, str]:
        """Task states of the newest run of a type (its run id begins with it)."""
        run = f"SELECT max(id) FROM dag_run WHERE run_id LIKE '{run_type}%'"
        where = f"run_id = (SELECT run_id FROM dag_run WHERE id = ({run}))"
        found = dict(self.ask(f"SELECT task_id, state FROM task_instance WHERE {where}"))
        return {task: found.get(task, "none") for task in TASKS}

    def wait(self, run_type: str, seconds: float = 600) -> dict[str, str]:
        """Wait until the newest run of a type has ended."""
        ended = time.monotonic() + seconds
        sql = f"SELECT state FROM dag_run WHERE run_id LIKE '{run_type}%' ORDER BY id DESC LIMIT 1"
        while time.monotonic() < ended:
            with contextlib.suppress(sqlite3.OperationalError):  # it is being written
                if self.ask(sql)[:1] in ([("success",)], [("failed",)]):
                    return self.states(run_type)
            time.sleep(1)
        raise TimeoutError(f"no {run_type} run ended in {seconds} s: {self.states(run_type)}")

    def events(self) -> int:
        """Asset events so far."""
        return int(self.ask("SELECT count(*) FROM asset_event")[0][0])

    def published(self) -> tuple[int, int]:
        """Version, and files read into it."""
        lake = Lake(self.config.warehouse)
        with duckdb.connect(str(lake.current / "footpath.duckdb"), read_only=True) as database:
            ((files,),) = database.sql("SELECT count(*) FROM ingest_ledger").fetchall()
        return lake.published().version, int(files)


def _free_port() -> str:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


@pytest.fixture(scope="module")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of four sources, three and more of each."""
    folder = tmp_path_factory.mktemp("retailer")
    flaws = {"duplicate_share": 0.05, "malformed_share": 0.02, "late_share": 0.03}
    generate(folder, Scenario(events=1_500, seed=5, days=8, file_days=2, **flaws))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> Project:
    folder = tmp_path_factory.mktemp("airflow")
    sources = {
        name: {"preset": preset, "paths": f"data/{name}/{{date}}.jsonl"}
        for name, preset in PRESETS.items()
    }
    config = configure(folder, sources=sources)
    port = _free_port()
    env = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": f"{AIRFLOW.parent}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": _free_port(),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": _free_port(),
        "FOOTPATH_COMMAND": f"env PYTHONPATH={ROOT} {sys.executable} -m footpath.cli",
        "FOOTPATH_CONFIG": str(folder / "footpath.yml"),
        "FOOTPATH_ALERT": f"tee {folder / 'alert.json'}",
    }
    project = Project(folder, config, retailer, env)
    project.airflow("db", "migrate")
    return project


@pytest.fixture(scope="module")
def by_hand(project: Project) -> Project:
    """Two days are there, one is asked for by its date."""
    for day in DAYS[:2]:
        project.deliver(day)
    project.test_dag("2026-01-02T03:00:00+00:00", {"by_date": True})
    return project


def test_dags_test_publishes_the_day_that_was_asked_for(by_hand: Project) -> None:
    """Every task succeeds, the day's files alone are read, each published table has an event."""
    states = by_hand.states("manual")
    assert states == dict.fromkeys(TASKS, "success"), _log(by_hand)
    assert by_hand.published() == (1, len(PRESETS))
    tables = {name for (name,) in by_hand.ask("SELECT name FROM asset")}
    with duckdb.connect(
        str(by_hand.config.warehouse / "current" / "footpath.duckdb"), read_only=True
    ) as database:
        there = {f"footpath/{name}" for (name,) in database.sql("SHOW TABLES").fetchall()}
    assert by_hand.events() == len(tables) > 15
    assert tables <= there


def _log(project: Project) -> str:
    return (project.folder / "dags_test.log").read_text("utf-8")[-5000:]


@contextlib.contextmanager
def standalone(project: Project) -> Iterator[None]:
    """Airflow's scheduler, executor, DAG processor and API server, until the block ends."""
    with (project.folder / "standalone.log").open("w") as log:
        process = subprocess.Popen(
            [str(AIRFLOW), "standalone"],
            env=project.env, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_up(f"{project.env['AIRFLOW__API__BASE_URL']}/api/v2/monitor/health")
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_up(url: str, seconds: float = 180) -> None:
    """A task that starts before the API server answers fails, and is tried again minutes later."""
    ended = time.monotonic() + seconds
    while time.monotonic() < ended:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10):
            return
        time.sleep(1)
    raise TimeoutError(f"nothing answers at {url} after {seconds} s")


def test_the_scheduler_runs_it(by_hand: Project, tmp_path: Path) -> None:
    """By schedule it reads what is new; triggered again it publishes nothing and announces nothing;
    a backfill reads the files of its day; in the end all is as one run over all files has it.
    """
    by_hand.airflow("dags", "reserialize")
    events = by_hand.events()
    with standalone(by_hand):
        by_hand.airflow("dags", "unpause", DAG)
        assert by_hand.wait("scheduled") == dict.fromkeys(TASKS, "success")
        assert by_hand.published() == (2, 2 * len(PRESETS))
        assert by_hand.events() == 2 * events

        by_hand.airflow("dags", "trigger", DAG, "--run-id", "again")
        assert by_hand.wait("again") == dict.fromkeys(STAGES, "success") | {"announce": "skipped"}
        assert by_hand.published() == (2, 2 * len(PRESETS))
        assert by_hand.events() == 2 * events

        by_hand.deliver(DAYS[2])
        conf = json.dumps({"by_date": True})
        by_hand.airflow(
            "backfill", "create", "--dag-id", DAG, "--dag-run-conf", conf,
            "--from-date", DAYS[2], "--to-date", f"{DAYS[2]}T23:00",
        )  # fmt: skip
        assert by_hand.wait("backfill") == dict.fromkeys(TASKS, "success")
        assert by_hand.published() == (3, 3 * len(PRESETS))
    (tmp_path / "data").symlink_to(by_hand.folder / "data")
    alone = configure(tmp_path)
    run_stages(alone, STAGES, ())
    databases = [c.warehouse / "current" / "footpath.duckdb" for c in (by_hand.config, alone)]
    assert digest(databases[0]) == digest(databases[1])


def test_a_failed_check_fails_publication_and_nothing_after_it(by_hand: Project) -> None:
    """Numbers that do not reconcile stop at `publish`, at once; readers keep their version; the alert
    has the summary.
    """
    for source in PRESETS:
        file = by_hand.folder / "data" / source / f"{DAYS[0]}.jsonl"
        (file.with_name("2026-01-04.jsonl")).write_bytes(file.read_bytes())
    wrapper = by_hand.folder / "footpath"
    (by_hand.folder / "broken.py").write_text(_BROKEN, encoding="utf-8")
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *" publish "*)\n'
        f"  {sys.executable} {by_hand.folder}/broken.py {by_hand.config.warehouse};;\nesac\n"
        f'exec {by_hand.env["FOOTPATH_COMMAND"]} "$@"\n',
        encoding="utf-8",
    )
    wrapper.chmod(0o755)
    before = by_hand.published()
    events = by_hand.events()
    by_hand.test_dag("2026-01-06T03:00:00+00:00", {}, FOOTPATH_COMMAND=str(wrapper))
    expected = dict.fromkeys(STAGES, "success") | {
        "publish": "failed",
        "announce": "upstream_failed",
    }
    assert by_hand.states("manual") == expected, _log(by_hand)
    assert (by_hand.published(), by_hand.events()) == (before, events)
    alert = json.loads((by_hand.folder / "alert.json").read_text("utf-8"))
    assert (alert["task_id"], alert["exception"]) == (
        "publish",
        "publish: a check failed (exit code 5)",
    )
    assert alert["summary"]["exit_code"] == 5
    assert "ledger_sums" in alert["summary"]["stages"]["publish"]["error"]
