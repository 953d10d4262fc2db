"""What becomes of journeys at their steps, counted: against SQL, and however customers are split."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.counts import merge_counts, taken_back
from models.step_counts import count_steps, forget_days
from sql.statements import statement

DAY_ZERO = datetime(2024, 3, 1, tzinfo=UTC)


def world(seed: int, journeys: int = 60) -> tuple[pa.Table, pa.Table]:
    """Random journeys over five touchpoints; 'buy' converts."""
    rng = np.random.default_rng(seed)
    names = np.array(["ad", "cart", "pay", "buy", "help"])
    steps, whole = [], []
    for j in range(journeys):
        length = int(rng.integers(1, 12))
        nodes = names[rng.choice(5, length, p=[0.3, 0.3, 0.2, 0.1, 0.1])]
        waits = rng.choice([0, 40, 4000, 400_000, 800_000], length)
        begin = DAY_ZERO + timedelta(days=int(rng.integers(0, 9)))
        times = [begin + timedelta(seconds=int(s)) for s in np.cumsum(waits)]
        for k, (node, time) in enumerate(zip(nodes, times, strict=True)):
            csat = None if rng.random() < 0.5 else float(rng.choice([0.0, 0.25, 1.0]))
            steps.append((str(j), k + 1, time, str(node), node == "buy", csat))
        bought = "buy" in nodes
        whole.append(
            {
                "journey_id": str(j),
                "customer_id": str(j // 2),
                "outcome": "converted" if bought else str(rng.choice(["lapsed", "open"])),
                "device": str(rng.choice(["mobile", "desktop"])) if rng.random() < 0.9 else None,
                "started_at": times[0],
                "entry_touchpoint": str(nodes[0]),
                "exit_touchpoint": str(nodes[-1]),
            }
        )
    columns = ["journey_id", "step", "event_time", "touchpoint", "converts", "csat"]
    table = pa.table({n: [row[i] for row in steps] for i, n in enumerate(columns)})
    types = pa.timestamp("us", tz="UTC")
    table = table.set_column(2, "event_time", table["event_time"].cast(types))
    return table, pa.Table.from_pylist(whole)


def counted(counts: pa.Table, measure: str, level: str = "day", segment: str = "all") -> dict:
    """Counts of a measure by node, target and bin."""
    return {
        (r["source_node"], r["target_node"], r["bin"]): r["count"]
        for r in counts.to_pylist()
        if (r["measure"], r["level"], r["segment"]) == (measure, level, segment)
    }


def oracle(steps: pa.Table, journeys: pa.Table) -> duckdb.DuckDBPyConnection:
    """A database with the view that analysts see."""
    con = duckdb.connect()
    for name, table in (("touchpoints", steps), ("journeys", journeys)):
        plain = [
            pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type)
            for f in table.schema
        ]
        con.register("rows", table.cast(pa.schema(plain)))
        con.execute(f"CREATE TABLE {name} AS FROM rows")
    con.execute(statement("views", "first_visits").text)
    return con


MEASURES = {
    "reached": ("true", "''"),
    "back": ("goes_back", "goes_to"),
    "decided": ("decided", "''"),
    "unconverted": ("unconverted", "''"),
    "lost": ("lost", "''"),
    "waits": ("wait_s > 0", "''"),
}
"""Condition and target of each measure over `first_visits`."""

PAIRS = """
SELECT {node}.touchpoint, {other}.touchpoint, date_diff('day', DATE '1970-01-01', {node}.arrived_at), count(*)
FROM first_visits AS early JOIN first_visits AS late USING (journey_id)
WHERE early.position < late.position AND {condition} GROUP BY ALL
"""


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_the_view(seed: int) -> None:
    """Every daily measure equals a count over the published view."""
    steps, journeys = world(seed)
    counts = count_steps(steps, journeys, ["device"], window=timedelta(days=2), contacts=["help"])
    con = oracle(steps, journeys)
    day = "date_diff('day', DATE '1970-01-01', arrived_at)"
    for measure, (condition, target) in MEASURES.items():
        found = con.sql(
            f"SELECT touchpoint, {target}, {day}, count(*) FROM first_visits WHERE {condition} GROUP BY ALL"
        ).fetchall()
        assert counted(counts, measure) == {row[:3]: row[3] for row in found}, measure
    pairs = {
        "follow": ("early", "late", "late.arrived_at <= early.arrived_at + INTERVAL 2 DAY"),
        "before": ("late", "early", "early.position > 0"),
    }
    for measure, (node, other, condition) in pairs.items():
        found = con.sql(PAIRS.format(node=node, other=other, condition=condition)).fetchall()
        assert counted(counts, measure) == {row[:3]: row[3] for row in found}, measure
    for level, bin_, measure in (("whole", "0", "move"), ("hour", "hour(arrived_at)", "")):
        target = "goes_to" if measure else "''"
        for name in ("decided", "unconverted"):
            found = con.sql(
                f"SELECT touchpoint, {target}, {bin_}, count(*) FROM first_visits WHERE {name} AND "
                f"({target} = '' OR touchpoint <> 'START' AND goes_to IS NOT NULL) GROUP BY ALL"
            ).fetchall()
            told = counted(counts, f"{measure}_{name}".lstrip("_"), level)
            assert told == {row[:3]: row[3] for row in found}, (level, name)
    found = con.sql(
        f"""SELECT touchpoint, '', {day}, count(*) FROM first_visits AS v WHERE touchpoint <> 'help'
        AND EXISTS (FROM touchpoints AS t WHERE t.journey_id = v.journey_id AND t.touchpoint = 'help'
          AND t.step > v.step AND t.event_time <= v.arrived_at + INTERVAL 2 DAY) GROUP BY ALL"""
    ).fetchall()
    assert counted(counts, "contact") == {row[:3]: row[3] for row in found}
    ((mean,),) = con.sql(
        "SELECT avg(ln(wait_s)) FROM first_visits WHERE touchpoint = 'cart' AND wait_s > 0"
    ).fetchall()
    total = sum(n for (node, *_), n in counted(counts, "wait_sum").items() if node == "cart")
    waits = sum(n for (node, *_), n in counted(counts, "waits").items() if node == "cart")
    assert total / 1e6 / waits == pytest.approx(mean, abs=1e-6)
    found = con.sql(
        f"SELECT touchpoint, '', {day.replace('arrived_at', 'event_time')}, round(sum(csat) * 1e6) "
        "FROM touchpoints WHERE csat IS NOT NULL GROUP BY ALL"
    ).fetchall()
    assert counted(counts, "answer_sum") == {row[:3]: row[3] for row in found}


def test_a_loop_is_one_unhappy_journey() -> None:
    """cart > pay > cart > pay > cart: one journey at pay, thrown back to cart once."""
    nodes = ["cart", "pay", "cart", "cart", "pay", "cart"]
    steps = pa.table(
        {
            "journey_id": ["a"] * 6,
            "step": range(1, 7),
            "event_time": pa.array([DAY_ZERO + timedelta(minutes=i) for i in range(6)]).cast(
                pa.timestamp("us", tz="UTC")
            ),
            "touchpoint": nodes,
            "converts": [False] * 6,
            "csat": pa.nulls(6, pa.float64()),
        }
    )
    journeys = pa.table({"journey_id": ["a"], "customer_id": ["c"], "outcome": ["lapsed"]})
    counts = count_steps(steps, journeys, [])
    day = (DAY_ZERO - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert counted(counts, "back") == {("pay", "cart", day): 1}
    assert counted(counts, "bounce", "whole") == {("pay", "cart", 0): 1}
    assert counted(counts, "lost") == {("cart", "", day): 1}
    assert counted(counts, "unconverted")["pay", "", day] == 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_order_and_split_do_not_matter(seed: int, random) -> None:
    """Shuffled rows, and customers counted in two parts and added, give the same table."""
    steps, journeys = world(seed, 12)
    whole = count_steps(steps, journeys, ["device"])
    order = list(range(len(steps)))
    random.shuffle(order)
    assert count_steps(steps.take(order), journeys, ["device"]).equals(whole)
    parts = []
    for half in (0, 1):
        some = pa.array([int(c) % 2 == half for c in journeys["customer_id"].to_pylist()])
        ids = journeys.filter(some)["journey_id"]
        of_some = pa.compute.is_in(steps["journey_id"], value_set=ids.combine_chunks())
        parts.append(count_steps(steps.filter(of_some), journeys.filter(some), ["device"]))
    merged = merge_counts([whole])
    assert len(merged) == np.count_nonzero(whole["count"].to_numpy()), "a key twice"
    assert merge_counts(parts).equals(merged)


def test_old_days_are_one() -> None:
    """What lies before `since` is counted, on the day before it."""
    steps, journeys = world(1)
    since = (DAY_ZERO - datetime(1970, 1, 1, tzinfo=UTC)).days + 4
    short = count_steps(steps, journeys, [], since=since)
    long = count_steps(steps, journeys, [])
    assert min(b for *_, b in counted(short, "reached")) == since - 1
    for table in (short, long):
        assert sum(counted(table, "reached").values()) == sum(counted(long, "reached").values())


def test_days_can_be_made_one_later() -> None:
    """Counts told by day become those that were never told apart, whatever was added since."""
    steps, journeys = world(2)
    since = (DAY_ZERO - datetime(1970, 1, 1, tzinfo=UTC)).days + 5
    before = count_steps(steps, journeys, ["device"], since=since - 3)
    now = count_steps(steps, journeys, ["device"], since=since)
    assert merge_counts([forget_days(before, since)]).equals(merge_counts([now]))


def test_counts_taken_back_leave_nothing() -> None:
    """What is taken from a sum is gone: no rows of 0 stay."""
    parts = [count_steps(*world(seed), ["device"]) for seed in (3, 4)]
    assert merge_counts([*parts, taken_back(parts[0])]).equals(merge_counts(parts[1:]))


def test_nobody_came() -> None:
    """No journeys, no counts."""
    steps, journeys = world(1)
    assert count_steps(steps.slice(0, 0), journeys.slice(0, 0), ["device"]).num_rows == 0
