"""Raw web events to sessions: footpath, hand-written DuckDB SQL, plain Beam, retentioneering.

All run in one go on generated data, in turn, each in a fresh process, start-up included. footpath
and DuckDB do the same work on the same files; the run fails unless their tables agree row for row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
from measure import Measurement, measure

from contracts.lake import Lake
from footpath.generator import Scenario, generate

_NAMES = ("footpath", "duckdb", "duckdb-free", "beam", "retentioneering")
_HERE = Path(__file__).parent
_DOCS = _HERE.parent / "docs" / "benchmarks.md"
_ENV = {
    "FOOTPATH_KEY": "benchmark",
    "PYTHONPATH": str(_HERE.parent),
    "RETENTIONEERING_NO_TRACK": "1",
}


@dataclass(frozen=True)
class Rival:
    """Something to measure: its title, its data, and its command, given an empty folder."""

    title: str
    data: Path
    command: Callable[[Path], list[str]]


@dataclass(frozen=True)
class Result:
    """Medians of a rival's runs."""

    title: str
    events: int
    walls_s: tuple[float, ...]
    cpu_s: float
    peak_mb: float

    @property
    def wall_s(self) -> float:
        """Median wall time."""
        return statistics.median(self.walls_s)

    @property
    def us_per_line(self) -> float:
        """Microseconds of wall time for one line of input."""
        return self.wall_s / self.events * 1e6


def main() -> None:
    arguments = _arguments()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    rivals = _rivals(arguments, work)
    for data in {rival.data for rival in rivals.values()}:
        _warm(data)
    measured: dict[str, list[Measurement]] = {name: [] for name in rivals}
    for number in range(arguments.runs):
        for name, rival in rivals.items():
            folder = work / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            taken = measure(rival.command(folder), _ENV, work / f"{name}.log")
            measured[name].append(taken)
            print(
                f"run {number + 1} {name}: {taken.wall_s:.1f} s, {taken.cpu_s:.1f} s cpu, "
                f"{taken.peak_mb:,.0f} MB",
                flush=True,
            )
            if number == 0 and "footpath" in rivals and name.startswith("duckdb"):
                _verify(work / "footpath" / "warehouse", work / name / "out")
    results = {name: _result(rivals[name], taken) for name, taken in measured.items()}
    report = _report(results, arguments)
    print(report)
    if arguments.record:
        _record(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000_000, help="for footpath and DuckDB")
    parser.add_argument("--beam-events", type=int, default=200_000, help="for plain Beam")
    parser.add_argument("--retentioneering-events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default="1GB", help="memory_limit of the DuckDB rival")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES, help="default: all")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"), help="data, outputs")
    parser.add_argument(
        "--record", action="store_true", help="keep the result in docs/benchmarks.md"
    )
    return parser.parse_args()


def _rivals(arguments: argparse.Namespace, work: Path) -> dict[str, Rival]:
    python = sys.executable
    sizes = dict.fromkeys(_NAMES, arguments.events)
    sizes |= {"beam": arguments.beam_events, "retentioneering": arguments.retentioneering_events}
    data = {name: _data(work, sizes[name]) for name in _NAMES if name in arguments.only}

    def footpath(folder: Path) -> list[str]:
        shutil.copy(_HERE / "config.yml", folder / "footpath.yml")
        (folder / "data").symlink_to(data["footpath"])
        return [python, str(_HERE / "footpath_sessions.py"), str(folder / "footpath.yml")]

    def duckdb_sql(name: str, *limit: str) -> Callable[[Path], list[str]]:
        script, lines = str(_HERE / "duckdb_sessions.py"), f"{data.get(name)}/web/*.jsonl"
        return lambda folder: [python, script, lines, str(folder / "out"), *limit]

    def beam(folder: Path) -> list[str]:
        lines = str(data["beam"] / "web" / "*.jsonl")
        return [python, str(_HERE / "plain_beam.py"), lines, str(folder / "sessions")]

    def retentioneering(folder: Path) -> list[str]:
        script = str(_HERE / "retentioneering_load.py")
        table = str(_csv(data["retentioneering"]))
        return [str(_environment(work)), script, table, str(folder / "sessions.parquet")]

    commands = {
        "footpath": ("footpath: ingest, resolve, sessionize", footpath),
        "duckdb": (
            f"DuckDB SQL, memory limit {arguments.memory}",
            duckdb_sql("duckdb", "--memory", arguments.memory),
        ),
        "duckdb-free": ("DuckDB SQL, memory unlimited", duckdb_sql("duckdb-free")),
        "beam": ("plain Beam, an element a record", beam),
        "retentioneering": ("retentioneering, CSV to sessions", retentioneering),
    }
    return {name: Rival(commands[name][0], data[name], commands[name][1]) for name in data}


def _data(work: Path, events: int) -> Path:
    """Generate data of that size, once."""
    folder = work / f"data-{events}"
    if not (folder / "truth" / "summary.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        generate(folder, Scenario(events=events, channels=("web",)))
    return folder


def _csv(data: Path) -> Path:
    """Write the columns that retentioneering needs, cleaned, as CSV, once; not timed."""
    path = data / "events.csv"
    if not path.exists():
        nothing = "('', 'null', 'undefined', '0000')"
        duckdb.sql(f"""
            COPY (
              SELECT
                if(coalesce(lower(userId), '') IN {nothing}, anonymousId, userId) AS user_id,
                coalesce("event", "name", "type") AS event,
                strftime(try_cast("timestamp" AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%f') AS timestamp
              FROM read_json(
                '{data}/web/*.jsonl', format = 'newline_delimited', ignore_errors = true,
                columns = {{userId: 'VARCHAR', anonymousId: 'VARCHAR', "event": 'VARCHAR',
                  "name": 'VARCHAR', "type": 'VARCHAR', "timestamp": 'VARCHAR'}}
              )
              WHERE lower(user_id) NOT IN {nothing} AND "timestamp" IS NOT NULL
                AND try_cast("timestamp" AS TIMESTAMP) IS NOT NULL
            ) TO '{path}' (HEADER)
        """)
    return path


def _environment(work: Path) -> Path:
    """Make an environment with retentioneering 5.2, once; returns its Python."""
    folder = work / "retentioneering-env"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "retentioneering==5.2.*",
            "pyarrow",
        ]
        subprocess.run(install, check=True)
        (folder / "ready").touch()
    return python


def _warm(data: Path) -> None:
    """Read the input once, so that everyone finds it in the page cache (if it fits)."""
    for path in sorted((data / "web").iterdir()):
        with path.open("rb") as file:
            while file.read(1 << 22):
                pass


_AGREEMENT = {
    "events": """SELECT count(*), sum(hash(event_id, event_time, ingest_time, event_type, page,
        transaction_id, "value", currency, id_user_id, id_email, id_anonymous_id, device, campaign
        )::HUGEINT) FROM {events}""",
    "dead letters": 'SELECT count(*), sum(hash("position")::HUGEINT) FROM {dead_letters}',
    "quarantine": "SELECT count(*), sum(hash(event_id)::HUGEINT) FROM {quarantine}",
    "identifiers": """SELECT count(*), sum(hash(namespace::VARCHAR, "value", customer_id,
        first_seen, last_seen, events)::HUGEINT) FROM {identities}""",
    "customers": "SELECT count(DISTINCT customer_id), 0 FROM {identities}",
    "touchpoints": """SELECT count(*), sum(hash(customer_id, event_time, event_id, touchpoint,
        stage, session_step)::HUGEINT) FROM {touchpoints}""",
    "sessions": """SELECT count(*), sum(hash(customer_id, started_at, ended_at, touchpoints,
        entry_touchpoint, exit_touchpoint, session_duration_s, converted,
        "value"::DECIMAL(18, 4), device, campaign)::HUGEINT) FROM {sessions}""",
}
"""Row count and a hash over all rows, whatever their order."""


def _verify(warehouse: Path, out: Path) -> None:
    """Fail unless both have made the same tables."""
    lake = Lake(warehouse)
    manifest = lake.draft()
    names = ("events", "dead_letters", "quarantine", "identities", "touchpoints", "sessions")
    files = {name: [str(path) for path in lake.paths(manifest, name)] for name in names}
    ours = {
        name: f"read_parquet({paths}, hive_partitioning=false)" for name, paths in files.items()
    }
    theirs = {name: f"read_parquet('{out}/{name}.parquet')" for name in names[1:]}
    theirs["events"] = f"read_parquet('{out}/events/*/*/*.parquet')"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for what, sql in _AGREEMENT.items():
            mine = connection.sql(sql.format(**ours)).fetchall()[0]
            other = connection.sql(sql.format(**theirs)).fetchall()[0]
            if mine != other:
                raise SystemExit(f"footpath and DuckDB disagree on {what}: {mine} against {other}")
            print(f"footpath and {out.parent.name} agree on {mine[0]:,} {what}", flush=True)


def _result(rival: Rival, taken: list[Measurement]) -> Result:
    summary = json.loads((rival.data / "truth" / "summary.json").read_text("utf-8"))
    return Result(
        rival.title,
        summary["sources"]["web"]["lines"],
        tuple(sorted(m.wall_s for m in taken)),
        statistics.median(m.cpu_s for m in taken),
        max(m.peak_mb for m in taken),
    )


def _report(results: dict[str, Result], arguments: argparse.Namespace) -> str:
    """Write a section of docs/benchmarks.md."""
    packages = ("footpath", "apache-beam", "duckdb", "pyarrow", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines = [
        f"## Web events to sessions, {arguments.events:,} events",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}; {_machine()}; Python {platform.python_version()}, "
        f"{versions}. Medians of {arguments.runs} runs in turn, whole commands, start-up "
        "included. Peak is that of all processes together (PSS, every 50 ms), in the worst run. "
        "The last column is footpath's wall time a line over theirs.",
        "",
        "| | lines | wall, s | range, s | cpu, s | peak, MB | µs a line | footpath takes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ours = results.get("footpath")
    for name, result in results.items():
        ratio = ""
        if ours is not None and name != "footpath":
            ratio = f"{ours.us_per_line / result.us_per_line:.2f} x"
        lines.append(
            f"| {result.title} | {result.events:,} | {result.wall_s:.1f} "
            f"| {result.walls_s[0]:.1f} to {result.walls_s[-1]:.1f} | {result.cpu_s:.1f} "
            f"| {result.peak_mb:,.0f} | {result.us_per_line:.2f} | {ratio} |"
        )
    if {"footpath", "duckdb"} <= results.keys():
        lines += ["", "footpath and DuckDB SQL made the same tables, row for row."]
    return "\n".join(lines) + "\n"


def _machine() -> str:
    cpus = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((c.partition(":")[2].strip() for c in cpus if c.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {model or platform.machine()}, {memory:.0f} GB, {platform.system()}"


def _record(report: str) -> None:
    """Put the section into docs/benchmarks.md, in place of the one with the same heading."""
    heading = report.partition("\n")[0]
    opening = "# Benchmarks\n\nMeasured by `benchmarks/`, whose README says how.\n"
    text = _DOCS.read_text("utf-8") if _DOCS.exists() else opening
    first, *sections = text.split("\n## ")
    kept = [s for s in sections if f"## {s.partition(chr(10))[0]}" != heading]
    kept.append(report.removeprefix("## "))
    _DOCS.write_text("\n## ".join([first, *sorted(kept)]), "utf-8")


if __name__ == "__main__":
    main()
