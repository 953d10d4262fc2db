"""The hand-written rival: the scripts duckdb_*.sql in one process, on the given cores and memory."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import duckdb

_BLOCK = 64
_SESSIONS = ("events", "touchpoints", "sessions")
_JOURNEYS = ("events", "steps", "sessions", "graph")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", help="glob of the JSON lines")
    parser.add_argument("out", type=Path, help="folder to write to; new")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", help="DuckDB's memory_limit; default: DuckDB's own")
    parser.add_argument("--journeys", action="store_true", help="go on to journeys and transitions")
    parser.add_argument("--key-env", default="FOOTPATH_KEY")
    parser.add_argument("--explain", action="store_true", help="time of each statement on stderr")
    arguments = parser.parse_args()
    key = os.environ[arguments.key_env].encode().ljust(_BLOCK, b"\0")
    arguments.out.mkdir(parents=True)
    source = Path(arguments.input).resolve()
    os.chdir(arguments.out)
    settings: dict[str, str | int] = {"threads": arguments.threads, "temp_directory": "spill"}
    if arguments.memory:
        settings["memory_limit"] = arguments.memory
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        variables = {
            "input": str(source),
            "inner_pad": bytes(b ^ 0x36 for b in key),
            "outer_pad": bytes(b ^ 0x5C for b in key),
        }
        for name, value in variables.items():
            connection.execute(f"SET VARIABLE {name} = $value", {"value": value})
        names = _JOURNEYS if arguments.journeys else _SESSIONS
        here = Path(__file__).resolve().parent
        script = "\n".join((here / f"duckdb_{name}.sql").read_text("utf-8") for name in names)
        for statement in connection.extract_statements(script):
            started, cpu = time.perf_counter(), time.process_time()
            connection.execute(statement)
            if arguments.explain:
                wall, cpu = time.perf_counter() - started, time.process_time() - cpu
                text = " ".join(statement.query.strip().split())[-60:]
                print(f"{wall:7.2f} s {cpu:7.2f} s cpu  {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
