"""How long the graph of many journey steps takes, at all levels, with intervals and attribution.

    python benchmarks/graph.py [--steps 10000000] [--record]

Draws journeys of about six steps from a chain over thirty touchpoints in seven channels and six
stages, writes them as a warehouse's `touchpoints` and `journeys` (untimed, kept under
build/benchmarks), and runs the job `pipelines.graph` on them as a command of its own, start-up included:
levels stage, touchpoint, channel and session, sliced by entry channel (seven) beside all; intervals over
customers; seven models of attribution for touchpoints and channels with intervals and lift. Also times the
removal effects of 1,000 nodes. Linux only; nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from measure import measure  # noqa: E402

from contracts.lake import DataFile, Lake  # noqa: E402
from contracts.schemas import table_schema  # noqa: E402
from models.absorbing_chain import AbsorbingChain  # noqa: E402
from models.money import from_units  # noqa: E402

TOUCHPOINTS, BUCKETS, SEED = 30, 32, 20260101
LENGTH = 6.43
"""Mean steps of a journey drawn."""
STAGES = ("awareness", "consideration", "purchase", "service", "loyalty", "advocacy")
CHANNELS = ("ads", "app", "email", "social", "store", "support", "web")
BEGIN_US = 1_735_689_600_000_000  # 2025-01-01
DAY_US = 86_400_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000_000)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--record", action="store_true", help="write docs/graph.md")
    options = parser.parse_args()
    folder = (options.work / f"graph-{options.steps}").resolve()
    if not (folder / "draft.json").exists():
        generate(folder, options.steps)
    lake = Lake(folder / "warehouse")
    draft = lake.draft()
    draft.stages.pop("graph", None)
    lake.save_draft(draft)
    command = [sys.executable, "-m", "pipelines.graph", "--config", str(folder / "footpath.yml")]
    took = measure(command, env={"PYTHONPATH": str(ROOT)}, log=folder / "graph.log")
    draft = lake.draft()
    rows = {name: draft.tables[name][0].rows for name in ("stages", "transitions", "attribution")}
    steps = sum(file.rows for file in draft.tables["touchpoints"])
    journeys = sum(file.rows for file in draft.tables["journeys"])
    removal_s = time_removal_effects(1000)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; `python benchmarks/graph.py --steps {options.steps}`; "
        f"{steps:,} steps of {journeys:,} journeys in {BUCKETS} buckets.",
        "",
        "| | |",
        "|---|---|",
        f"| wall, s | {took.wall_s:.1f} |",
        f"| processor, s | {took.cpu_s:.1f} |",
        f"| peak memory, MB | {took.peak_mb:,.0f} |",
        f"| rows | {', '.join(f'{name} {count:,}' for name, count in rows.items())} |",
        f"| removal effects of 1,000 nodes, s | {removal_s:.2f} |",
    ]
    print("\n".join(lines))
    if options.record:
        head = "# The graph of many journey steps\n\n" + (__doc__ or "").split("\n\n")[2] + "\n\n"
        (ROOT / "docs" / "graph.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def time_removal_effects(nodes: int) -> float:
    """Best of three, graph included."""
    rng = np.random.default_rng(SEED)
    names = np.array(["START", *(f"n{i}" for i in range(nodes)), "CONVERSION", "DROP_OFF"])
    source = np.repeat(np.arange(nodes + 1), 12)
    target = rng.integers(1, nodes + 3, len(source))
    ends = names[source].tolist(), names[target].tolist()
    times = []
    for _ in range(3):
        started = time.perf_counter()
        chain = AbsorbingChain(*ends, rng.integers(1, 50, len(source)))
        assert chain.removal_effect.max() > 0
        times.append(time.perf_counter() - started)
    return min(times)


def generate(folder: Path, steps: int) -> None:
    """A warehouse whose draft holds touchpoints and journeys, and its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"touchpoint_{i:02d}" for i in range(TOUCHPOINTS - 1)] + ["purchase"]
    config = {
        "project": "Graph benchmark",
        "warehouse": "warehouse",
        "as_of": "2026-01-01T00:00:00Z",
        "sources": {
            "web": {
                "paths": "none/*",
                "format": "jsonl",
                "channel": "$.channel",
                "fields": {"event_time": "$.t", "event_type": "$.type"},
                "identifiers": {"user_id": "$.user"},
            }
        },
        "touchpoints": [
            {"touchpoint": name, "stage": STAGES[i % 6], "when": {"event_type": name}}
            for i, name in enumerate(names)
        ],
    }
    (folder / "footpath.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    lake = Lake(folder / "warehouse")
    lake.root.mkdir(exist_ok=True)
    draft = lake.draft()
    draft.tables = {"touchpoints": [], "journeys": []}
    for bucket in range(BUCKETS):
        for table, rows in zip(
            ("touchpoints", "journeys"), draw(bucket, steps // BUCKETS, names), strict=True
        ):
            path = f"tables/{table}/bucket={bucket:04d}/drawn.parquet"
            (lake.root / path).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, lake.root / path, compression="zstd", compression_level=1)
            draft.tables[table].append(DataFile(path, len(rows), {"bucket": bucket}))
    lake.save_draft(draft)
    (folder / "draft.json").write_text(json.dumps({"steps": steps}), encoding="utf-8")


def draw(bucket: int, steps: int, names: list[str]) -> tuple[pa.Table, pa.Table]:
    """Journeys of one bucket of customers, in order of customer and time."""
    shape = np.random.default_rng(SEED)
    moves = shape.dirichlet(np.full(TOUCHPOINTS + 1, 0.3), TOUCHPOINTS)
    moves[:, -1] = 0.1 + 0.2 * shape.random(TOUCHPOINTS)
    bounds = (moves / moves.sum(axis=1, keepdims=True)).cumsum(axis=1)
    channel_of = shape.integers(0, len(CHANNELS), TOUCHPOINTS)
    rng = np.random.default_rng([SEED, bucket])
    n = round(steps / LENGTH)
    walker, state, columns, step = np.arange(n), rng.integers(0, TOUCHPOINTS, n), [], 0
    while len(walker):
        step += 1
        columns.append((walker, state, np.full(len(walker), step)))
        state = (rng.random(len(walker))[:, None] > bounds[state]).sum(axis=1)
        going = (state < TOUCHPOINTS) & (step < 100)
        walker, state = walker[going], state[going]
    owner, node, number = (np.concatenate(c) for c in zip(*columns, strict=True))
    order = np.lexsort((number, owner))
    owner, node, number = owner[order], node[order], number[order]
    first = number == 1
    wait = np.where(rng.random(len(owner)) < 0.7, 60e6, 36e9) * rng.exponential(1, len(owner))
    begin = BEGIN_US + (rng.random(n) * 350 * DAY_US).astype(np.int64)
    passed = np.cumsum(np.where(first, 0, wait))
    time_us = begin[owner] + (passed - passed[np.flatnonzero(first)][owner]).astype(np.int64)
    dwell = np.append(np.diff(time_us), 0) / 1e6
    last = np.append(first[1:], True)
    opens = first | (np.append(0, dwell[:-1]) > 1800)
    session = np.cumsum(opens)
    customer = np.arange(n) // 2
    converts = node == TOUCHPOINTS - 1
    bought = np.bincount(owner, converts, n) > 0

    def text(codes: np.ndarray, values: list[str] | pa.Array) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32)), pa.array(values, pa.string())
        )

    ids = pa.array([f"j{bucket:02d}{i:09x}" for i in range(n)])
    customers = pa.array([f"{bucket:02d}{i:09x}" for i in range(n // 2 + 1)])
    money = from_units(np.where(converts, 490_000, 0))
    some = rng.random(len(owner)) > 0.02
    known = {
        "customer_id": text(customer[owner], customers),
        "event_time": pa.array(time_us, pa.timestamp("us", "UTC")),
        "channel": text(channel_of[node], list(CHANNELS)),
        "touchpoint": text(node, names),
        "stage": text(node % 6, list(STAGES)),
        "session_id": text(
            session - 1, pa.array([f"s{bucket:02d}{i:09x}" for i in range(session[-1])])
        ),
        "journey_id": text(owner, ids),
        "step": pa.array(number.astype(np.int32)),
        "dwell_s": pa.array(dwell, mask=last),
        "converts": pa.array(converts),
        "value": money,
        "csat": pa.array(rng.integers(0, 5, len(owner)) / 4, mask=some),
        "nps": pa.array(rng.integers(0, 11, len(owner)).astype(float), mask=some),
        "sentiment": pa.nulls(len(owner), pa.float64()),
    }
    ends, begins = np.flatnonzero(last), np.flatnonzero(first)
    whole = {
        "journey_id": ids,
        "customer_id": text(customer, customers),
        "started_at": pa.array(begin, pa.timestamp("us", "UTC")),
        "ended_at": known["event_time"].take(pa.array(ends)),
        "entry_channel": known["channel"].take(pa.array(begins)),
        "converted": pa.array(bought),
        "value": from_units(np.where(bought, 490_000, 0)),
    }
    return _typed(known, "touchpoints"), _typed(whole, "journeys")


def _typed(columns: dict[str, pa.Array], name: str) -> pa.Table:
    schema = pa.schema([f for f in table_schema(name) if f.name in columns])
    return pa.table({f.name: columns[f.name].cast(f.type) for f in schema}, schema=schema)


if __name__ == "__main__":
    main()
