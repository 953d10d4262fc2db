"""A/A: the same crowd split by chance, again and again. What is said to differ, doesn't.

    python -m benchmarks.comparison --splits 1000

Customers of a world are split at random, into halves and into a tenth and the rest, all rates compared,
and rejections counted.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.journey_worlds import WORLDS, journeys_for, walk
from benchmarks.world_database import database
from models.comparison import by_key, differences, group_sums
from models.counts import codes
from sql.statements import statement

_SEED = 9_000
_WORLDS = (("shop", "shipping"), ("business", "case_study"), ("telecom", "activation"))


def splits(
    name: str, step: str, share: float, through: int, times: int
) -> tuple[float, float, float]:
    """Share of tests rejected at .05, of splits with any after control, and tests a split."""
    rng = np.random.default_rng(_SEED)
    world = WORLDS[name](rng)
    con = database(*walk(world, journeys_for(world, step, through), rng))
    con.execute("CREATE TABLE compared AS SELECT journey_id, 'a' AS side FROM journeys")
    trials = con.sql(statement("compare", "customer_sums").query).to_arrow_table()
    keys, key, n, x = by_key(trials)
    customer, names = codes(trials["customer_id"])
    everybody = group_sums(key, n, x, len(keys))
    # Sums of a customer, so that each split is one product.
    place = np.tile(customer, 5), np.concatenate([key + i * len(keys) for i in range(5)])
    sums = csr_matrix((np.concatenate([n, x, n * n, n * x, x * x]), place)).T.tocsr()
    rejected = tests = alarms = 0
    for _ in range(times):
        a = (sums @ (rng.random(len(names)) < share)).reshape(5, len(keys))
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
        "| world | split | rates compared | rejected at .05 | splits with any after control |\n"
        "|---|---|---|---|---|"
    )
    for share in (0.5, 0.1):
        for name, step in _WORLDS:
            rejected, alarms, tests = splits(name, step, share, options.through, options.splits)
            print(
                f"| {name} | {share:.0%} | {tests:.0f} | {rejected:.2%} | {alarms:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
