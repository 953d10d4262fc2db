"""Hostile files at full size through the real command: what becomes of them, how long it takes, and in how much memory.

    python benchmarks/hostile.py [--mb 1024] [--only line bomb ...]

Each file holds one good record, or lies beside one, which must be an event; the command must end with 0, and every
other record must be a dead letter, but for one that is only deep. Figures go to docs/reliability.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from contracts.lake import Lake
from footpath.observing import last_summary

__all__ = ["CASES", "run_case"]

ROOT = Path(__file__).resolve().parents[1]
GOOD = b'{"id":"e1","t":"2025-05-01T00:00:00Z","e":"buy","u":"u1"}\n'
ROW = b"e1,2025-05-01T00:00:00Z,buy,u1\n"
FIELDS = {"event_id": "id", "event_time": "t", "event_type": "e"}
MB = 1 << 20
Pieces = Iterator[bytes]


def line(mb: int) -> Pieces:
    """One line of JSON after a good one."""
    return chain((GOOD, b'{"id":"'), repeat(b"x" * MB, mb), (b'"}\n',))


def quote(mb: int) -> Pieces:
    """A CSV in which a quote is opened and never closed."""
    return chain((b"id,t,e,u\n", ROW, b'e2,"'), repeat(b"x,y,z\n" * (MB // 6), mb))


def short(mb: int) -> Pieces:
    """As many records as fit: a thirty-second of the size, for each is a dead letter."""
    return chain((GOOD,), repeat(b"{}\n" * (MB // 3), mb // 32))


def bomb(mb: int) -> Pieces:
    """Ten times the size, compressed to a thousandth."""
    return chain((GOOD,), repeat(b" " * (MB - 1) + b"\n", 10 * mb))


def nested(mb: int) -> Pieces:
    """A record of nearly the greatest length that is nothing but brackets, and one that is closed again."""
    half = 4 * MB
    closed = (b'{"t":"2025-05-01","e":', b"[" * half, b"]" * half, b"}\n")
    return iter((GOOD, b"[" * 15 * MB, b"\n", *closed))


def document(mb: int) -> Pieces:
    """One JSON document of many records."""
    return chain((b"[",), repeat((GOOD + b",") * 16_000, mb), (GOOD, b"]"))


CASES: dict[str, tuple[str, str, Callable[[int], Pieces]]] = {
    "line": ("jsonl", "", line),
    "quote": ("csv", "", quote),
    "short": ("jsonl", "", short),
    "bomb": ("jsonl", ".gz", bomb),
    "nested": ("jsonl", "", nested),
    "document": ("json", ".gz", document),
}
"""By name: format, compression, content."""


def run_case(name: str, mb: int, folder: Path) -> tuple[float, float, dict[str, int], str]:
    """Seconds, peak memory of ingest in MB, how many events and dead letters of each reason, and what is wrong."""
    format_, ending, content = CASES[name]
    source = {
        "format": format_,
        "paths": "data/*",
        "channel": {"const": "web"},
        "fields": FIELDS if format_ == "csv" else {k: f"$.{v}" for k, v in FIELDS.items()},
        "identifiers": {"user_id": "u" if format_ == "csv" else "$.u"},
    }
    rule = {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}}
    (folder / "data").mkdir()
    path = folder / "data" / f"a.{format_}{ending}"
    with gzip.open(path, "wb", 1) if ending else path.open("wb") as file:
        for piece in content(mb):
            file.write(piece)
    if format_ == "json":
        (folder / "data/good.json").write_bytes(b"[" + GOOD + b"]")
    project = {"project": "hostile", "sources": {"web": source}, "touchpoints": [rule]}
    (folder / "footpath.yml").write_text(json.dumps(project), encoding="utf-8")
    started = time.monotonic()
    command = subprocess.run(
        [sys.executable, "-m", "footpath.cli", "run"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FOOTPATH_KEY": "a key for benchmarks"},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.monotonic() - started
    if command.returncode:
        return seconds, 0, {}, f"ended with {command.returncode}: {command.stderr.decode()[-300:]}"
    lake = Lake(folder / "warehouse")
    peak = last_summary(lake)["stages"]["ingest"]["peak_memory_mb"]
    manifest = lake.published()
    dead = [pq.read_table(p, partitioning=None) for p in lake.paths(manifest, "dead_letters")]
    found = {"events": sum(file.rows for file in manifest.tables["events"])}
    if dead:
        reasons = pa.concat_tables(dead)["reason"].value_counts().to_pylist()
        found |= {row["values"]: row["counts"] for row in reasons}
    return seconds, peak, found, "" if found["events"] else "the good record is lost"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=1024)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    asked = parser.parse_args()
    wrong = 0
    print(
        "| file | seconds | peak MB of ingest | what became of it |\n|---|---|---|---|", flush=True
    )
    for name in asked.only:
        with tempfile.TemporaryDirectory() as folder:
            seconds, peak, found, problem = run_case(name, asked.mb, Path(folder))
        told = problem or ", ".join(f"{count:,} {reason}" for reason, count in found.items())
        print(f"| {name} | {seconds:,.0f} | {peak:,.0f} | {told} |", flush=True)
        wrong += bool(problem)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
