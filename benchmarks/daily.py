"""What a day costs beside all of history: 180 days in one full run, then one new day.

    python benchmarks/daily.py                     # 10M events of history
    python benchmarks/daily.py --events 600000 --setting "publish: {embed: false}"

A retailer of 190 days is generated, a file a day and source. The first 180 days are run from nothing; then the
files of day 181 are delivered and it is run again; each run is a process of its own. Prints wall and processor time
of both runs, of each of their stages, and the day's share. On a machine that does other work only the processor
times of whole runs can be compared. `--refresh` also rebuilds everything and fails unless the digests are those of
the day's run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.measure import Measurement, measure  # noqa: E402
from footpath.demonstration import CONFIG  # noqa: E402
from footpath.generator import Scenario, generate  # noqa: E402

DAYS = 180
_TAIL = 10
"""Days generated beyond the new one: the last days of a world are thin."""
_SOURCES = ("web", "email", "store", "support")
_ENV = {"PYTHONPATH": str(ROOT), "FOOTPATH_KEY": "a key for benchmarks"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="of history, about")
    parser.add_argument("--setting", action="append", default=[], help="a line of configuration")
    parser.add_argument(
        "--work", type=Path, help="keeps the raw files; default: a temporary folder"
    )
    parser.add_argument("--refresh", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        raw = work / f"raw-{given.events}"
        if not raw.exists():
            scale = (DAYS + _TAIL) / DAYS
            days = DAYS + _TAIL
            scenario = Scenario(events=round(given.events * scale), days=days, file_days=1)
            generate(work / "generated", scenario)
            _join(work / "generated", raw)
        project = work / "project"
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        settings = "\n".join([CONFIG, *given.setting, ""])
        (project / "footpath.yml").write_text(settings, encoding="utf-8")
        new_day = (Scenario().start + timedelta(days=DAYS)).isoformat()
        _deliver(raw, project, lambda day: day < new_day)
        full, stages = _run(project)
        _deliver(raw, project, lambda day: day == new_day)
        day, day_stages = _run(project)
        if day_stages["publish"]["skipped"]:
            sys.exit(f"nothing was delivered on {new_day}: ask for more events")
        _report(project, (full, day), (stages, day_stages))
        if given.refresh:
            before = _digest(project)
            _run(project, "--full-refresh")
            if _digest(project) != before:
                sys.exit("a full refresh gave other tables than the day's run")
            print("\nA full refresh gave the same tables.")


def _join(generated: Path, raw: Path) -> None:
    """One file a day and source, as a daily export leaves them."""
    for source in _SOURCES:
        (raw / source).mkdir(parents=True)
        for piece in sorted((generated / source).iterdir()):
            with (raw / source / f"{piece.name[:10]}.jsonl").open("ab") as whole:
                whole.write(piece.read_bytes())
    shutil.rmtree(generated)


def _deliver(raw: Path, project: Path, wanted: Any) -> None:
    for source in _SOURCES:
        folder = project / "data" / source
        folder.mkdir(parents=True, exist_ok=True)
        for file in (raw / source).iterdir():
            if wanted(file.stem):
                os.link(file, folder / file.name)


def _run(project: Path, *arguments: str) -> tuple[Measurement, dict[str, Any]]:
    config = str(project / "footpath.yml")
    command = [sys.executable, "-m", "footpath.cli", "run", "-c", config, *arguments]
    measured = measure(command, _ENV, project / "log.txt")
    stages = json.loads((project / "warehouse" / "run.json").read_text("utf-8"))["stages"]
    return measured, stages


def _digest(project: Path) -> str:
    command = [sys.executable, "-m", "footpath.cli", "digest", "-c", str(project / "footpath.yml")]
    return subprocess.run(
        command, env={**os.environ, **_ENV}, capture_output=True, text=True, check=True
    ).stdout


def _report(
    project: Path, runs: tuple[Measurement, Measurement], stages: tuple[dict[str, Any], ...]
) -> None:
    manifests = sorted((project / "warehouse" / "versions").glob("*/manifest.json"))
    events = [
        sum(file["rows"] for file in json.loads(path.read_text())["tables"]["events"])
        for path in manifests
    ]
    print(f"{events[0]:,} events of {DAYS} days, then {events[1] - events[0]:,} more\n")
    print("| | full run | a new day | share |\n|---|---|---|---|")
    full, day = runs
    rows = [
        ("wall, s", full.wall_s, day.wall_s),
        ("cpu, s", full.cpu_s, day.cpu_s),
        ("peak, MB", full.peak_mb, day.peak_mb),
    ]
    names = stages[0]
    rows += [(f"{n}, wall, s", *(found[n]["duration_s"] for found in stages)) for n in names]
    for name, before, after in rows:
        print(f"| {name} | {before:,.1f} | {after:,.1f} | {after / before:.0%} |")


if __name__ == "__main__":
    main()
