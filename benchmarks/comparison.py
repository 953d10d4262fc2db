"""A/A: the same crowd split by chance, again and again. What is said to differ, doesn't.

    python -m benchmarks.comparison --splits 1000

Customers of a world are split at random, all rates compared, and rejections counted.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.journey_worlds import WORLDS, journeys_for, walk
from benchmarks.world_database import database
from models.comparison import by_key, differences, group_sums
from models.counts import codes
from sql.statements import statement


def splits(name: str, step: str, through: int, times: int, seed: int) -> tuple[float, float, float]:
    """Share of tests rejected at .05, of splits with any after control, and tests a split."""
    rng = np.random.default_rng(seed)
    world = WORLDS[name](rng)
    con = database(*walk(world, journeys_for(world, step, through), rng))
    con.execute("CREATE TABLE compared AS SELECT journey_id, 'a' AS side FROM journeys")
    trials = con.sql(statement("compare", "customer_sums").query).to_arrow_table()
    keys, key, n, x = by_key(trials)
    customer, names = codes(trials["customer_id"])
    everybody = group_sums(key, n, x, len(keys))
    rejected = tests = alarms = 0
    for _ in range(times):
        on_a = rng.integers(0, 2, len(names)).astype(bool)[customer]
        a = group_sums(key[on_a], n[on_a], x[on_a], len(keys))
        columns, tested = differences(keys, a, everybody - a, min_volume=100)
        rejected += int((columns["p_value"] < 0.05).sum())
        tests += len(tested)
        alarms += bool((columns["q_value"] < 0.05).any())
    return rejected / tests, alarms / times, tests / times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=1_000)
    parser.add_argument("--through", type=int, default=2_000)
    options = parser.parse_args()
    print(
        "| world | rates compared | rejected at .05 | splits with any after control |\n|---|---|---|---|"
    )
    for name, step in (("shop", "shipping"), ("business", "case_study"), ("telecom", "activation")):
        share, alarms, tests = splits(name, step, options.through, options.splits, 9_000)
        print(f"| {name} | {tests:.0f} | {share:.2%} | {alarms:.1%} |", flush=True)


if __name__ == "__main__":
    main()
