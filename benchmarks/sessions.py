"""Raw web events to sessions: footpath, hand-written DuckDB SQL, plain Beam, retentioneering; and the whole run.

All run in one go on generated data, in turn, each in a fresh process, start-up included. footpath,
DuckDB and plain Beam do the same work on the same files; the run fails unless their tables agree,
row for row. Plain Beam has two small sizes, at which footpath and DuckDB run as well, so that what
a further line costs can be told from what starting costs.
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
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
from measure import Measurement, measure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agreement import verify

from footpath.generator import Scenario, generate

_NAMES = ("footpath", "duckdb", "duckdb-free", "beam", "retentioneering", "run")
_HERE = Path(__file__).resolve().parent
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
    agrees_with: str = ""
    """The run of footpath whose tables it has to make, in its folder `out`; empty: none."""


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
            if number == 0 and rival.agrees_with in rivals:
                warehouse = work / rival.agrees_with / "warehouse"
                verify(warehouse, work / name / "out", journeys=rival.agrees_with == "run")
    results = {name: _result(rivals[name], taken) for name, taken in measured.items()}
    for section in _report(results, arguments):
        print(section)
        if arguments.record:
            _record(section, arguments.record)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000_000, help="for footpath and DuckDB")
    parser.add_argument(
        "--beam-events",
        type=int,
        nargs=2,
        default=(100_000, 400_000),
        metavar=("FEW", "MANY"),
        help="for plain Beam, and for footpath and DuckDB beside it",
    )
    parser.add_argument("--retentioneering-events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default="1GB", help="memory_limit of the DuckDB rival")
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES, help="default: all")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"), help="data, outputs")
    parser.add_argument(
        "--record",
        type=Path,
        nargs="?",
        const=_HERE.parent / "docs" / "benchmarks.md",
        metavar="FILE",
        help="keep the result in docs/benchmarks.md, or in FILE",
    )
    return parser.parse_args()


def _rivals(arguments: argparse.Namespace, work: Path) -> dict[str, Rival]:
    """What to measure, by the name of its folder; footpath before those that must agree with it."""
    only, rivals = arguments.only, dict[str, Rival]()
    limited = f"DuckDB SQL, memory limit {arguments.memory}"
    if {"footpath", "duckdb", "duckdb-free"} & set(only):
        data = _data(work, arguments.events)
        if "footpath" in only:
            rivals["footpath"] = _footpath("footpath: ingest, resolve, sessionize", data)
        if "duckdb" in only:
            rivals["duckdb"] = _duckdb(limited, data, "footpath", "--memory", arguments.memory)
        if "duckdb-free" in only:
            rivals["duckdb-free"] = _duckdb("DuckDB SQL, memory unlimited", data, "footpath")
    if "beam" in only:
        workers = f"--direct_num_workers={len(os.sched_getaffinity(0))}"
        for events in arguments.beam_events:
            data, ours = _data(work, events), f"footpath-{events}"
            rivals[ours] = _footpath("footpath", data)
            rivals[f"duckdb-{events}"] = _duckdb(limited, data, ours, "--memory", arguments.memory)
            rivals[f"beam-{events}"] = _beam("plain Beam, one process", data, ours)
            rivals[f"beam-workers-{events}"] = _beam(
                "plain Beam, a process a core",
                data,
                ours,
                "--direct_running_mode=multi_processing",
                workers,
            )
    if "run" in only:
        data = _data(work, arguments.events)
        options = ("--journeys", "--memory", arguments.memory)
        rivals["run"] = _whole_run(data)
        rivals["duckdb-run"] = _duckdb(f"{limited}, to transitions", data, "run", *options)
    if "retentioneering" in only:
        data = _data(work, arguments.retentioneering_events)
        rivals["retentioneering"] = _retentioneering(work, data)
    return rivals


def _footpath(title: str, data: Path) -> Rival:
    def command(folder: Path) -> list[str]:
        return [sys.executable, str(_HERE / "footpath_sessions.py"), str(_project(folder, data))]

    return Rival(title, data, command)


def _whole_run(data: Path) -> Rival:
    def command(folder: Path) -> list[str]:
        config = str(_project(folder, data))
        return [sys.executable, "-m", "footpath.cli", "run", "--config", config]

    return Rival("footpath: the whole run, to database and report", data, command)


def _project(folder: Path, data: Path) -> Path:
    """Lay out a folder to run footpath in; returns its configuration."""
    (folder / "data").symlink_to(data)
    return Path(shutil.copy(_HERE / "config.yml", folder / "footpath.yml"))


def _tables(script: str, title: str, data: Path, ours: str, options: tuple[str, ...]) -> Rival:
    def command(folder: Path) -> list[str]:
        lines = str(data / "web" / "*.jsonl")
        return [sys.executable, str(_HERE / script), lines, str(folder / "out"), *options]

    return Rival(title, data, command, ours)


def _duckdb(title: str, data: Path, ours: str, *options: str) -> Rival:
    return _tables("duckdb_sql.py", title, data, ours, options)


def _beam(title: str, data: Path, ours: str, *options: str) -> Rival:
    return _tables("plain_beam.py", title, data, ours, options)


def _retentioneering(work: Path, data: Path) -> Rival:
    def command(folder: Path) -> list[str]:
        script, table = str(_HERE / "retentioneering_load.py"), str(_csv(data))
        return [str(_environment(work)), script, table, str(folder / "sessions.parquet")]

    return Rival("retentioneering, CSV to sessions", data, command)


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


def _result(rival: Rival, taken: list[Measurement]) -> Result:
    summary = json.loads((rival.data / "truth" / "summary.json").read_text("utf-8"))
    return Result(
        rival.title,
        summary["sources"]["web"]["lines"],
        tuple(sorted(m.wall_s for m in taken)),
        statistics.median(m.cpu_s for m in taken),
        max(m.peak_mb for m in taken),
    )


def _report(results: dict[str, Result], arguments: argparse.Namespace) -> list[str]:
    """Write the sections of docs/benchmarks.md."""
    large = {name: result for name, result in results.items() if name in _NAMES[:-1]}
    sections = [_large(large, arguments)] if large else []
    if "run" in arguments.only:
        sections.append(_whole(results["run"], results["duckdb-run"], arguments))
    if "beam" in arguments.only:
        sections.append(_small(results, arguments))
    return sections


def _circumstances(runs: int) -> str:
    project = tomllib.loads((_HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    packages = ("apache-beam", "duckdb", "pyarrow", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {_machine()}; Python {platform.python_version()}, "
        f"footpath {project['version']}, {versions}. Medians of {runs} run(s) in turn, whole "
        "commands, start-up included. Peak is that of all processes together (PSS, every 50 ms), "
        "in the worst run."
    )


def _large(results: dict[str, Result], arguments: argparse.Namespace) -> str:
    lines = [
        f"## Web events to sessions, {arguments.events:,} events",
        "",
        f"{_circumstances(arguments.runs)} The last column is footpath's wall time a line over "
        "theirs.",
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
    if "footpath" in results and {"duckdb", "duckdb-free"} & results.keys():
        lines += ["", "footpath and DuckDB SQL made the same tables, row for row."]
    return "\n".join(lines) + "\n"


def _whole(ours: Result, theirs: Result, arguments: argparse.Namespace) -> str:
    """The whole run beside SQL that stops at transitions."""
    lines = [
        f"## Web events to a published database, {arguments.events:,} events",
        "",
        f"{_circumstances(arguments.runs)} The SQL makes events, identities, touchpoints with their "
        "steps, sessions, journeys and transitions; footpath goes on to personas, conversion "
        "probabilities, attribution, pain points, KPIs, checks, the database and the report.",
        "",
        "| | lines | wall, s | range, s | cpu, s | peak, MB | footpath takes |",
        "|---|---|---|---|---|---|---|",
    ]
    for result, ratio in ((ours, ""), (theirs, f"{ours.wall_s / theirs.wall_s:.2f} x")):
        lines.append(
            f"| {result.title} | {result.events:,} | {result.wall_s:.1f} "
            f"| {result.walls_s[0]:.1f} to {result.walls_s[-1]:.1f} | {result.cpu_s:.1f} "
            f"| {result.peak_mb:,.0f} | {ratio} |"
        )
    lines += ["", "Both made the same tables, row for row."]
    return "\n".join(lines) + "\n"


def _small(results: dict[str, Result], arguments: argparse.Namespace) -> str:
    """Plain Beam and the others at two sizes: what a line costs, and what one line more costs."""
    few, many = sorted(arguments.beam_events)
    pairs = {
        name: (results[f"{name}-{few}"], results[f"{name}-{many}"])
        for name in ("footpath", "duckdb", "beam", "beam-workers")
    }
    small, large = pairs["footpath"]
    lines = [
        f"## Web events to sessions, an element a record: {many:,} events",
        "",
        f"{_circumstances(arguments.runs)} One line more costs the difference of wall times over "
        "the difference of lines: starting costs the same at both sizes and drops out.",
        "",
        f"| | {small.events:,} lines, s | {large.events:,} lines, s | range, s | cpu, s | peak, MB "
        "| µs a line | µs a line more |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for less, more in pairs.values():
        lines.append(
            f"| {more.title} | {less.wall_s:.1f} | {more.wall_s:.1f} "
            f"| {more.walls_s[0]:.1f} to {more.walls_s[-1]:.1f} | {more.cpu_s:.1f} "
            f"| {more.peak_mb:,.0f} | {more.us_per_line:.1f} | {_marginal_us(less, more):.1f} |"
        )
    beams = [pairs["beam"], pairs["beam-workers"]]
    whole = min(more.wall_s for _, more in beams) / large.wall_s
    ratio = min(_marginal_us(*pair) for pair in beams) / _marginal_us(small, large)
    lines += [
        "",
        "All made the same tables, row for row. Plain Beam, in its better mode each time, takes "
        f"{whole:.1f} times as long as footpath on {large.events:,} lines, start-up included, and "
        f"{ratio:.1f} times as long for one line more.",
    ]
    return "\n".join(lines) + "\n"


def _marginal_us(less: Result, more: Result) -> float:
    """Microseconds of wall time for each further line."""
    return (more.wall_s - less.wall_s) / (more.events - less.events) * 1e6


def _machine() -> str:
    cpus = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    model = next((c.partition(":")[2].strip() for c in cpus if c.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {model or platform.machine()}, {memory:.0f} GB, {platform.system()}"


def _record(section: str, path: Path) -> None:
    """Put the section into the file, in place of the one with the same heading."""
    heading = section.partition("\n")[0]
    opening = "# Benchmarks\n\nMeasured by `benchmarks/`, whose README says how.\n"
    text = path.read_text("utf-8") if path.exists() else opening
    first, *others = text.split("\n## ")
    kept = [other for other in others if f"## {other.partition(chr(10))[0]}" != heading]
    kept.append(section.removeprefix("## "))
    path.write_text("\n## ".join([first, *sorted(kept)]), "utf-8")


if __name__ == "__main__":
    main()
