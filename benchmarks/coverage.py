"""How often 95% intervals hold the truth: edges, conversion probabilities, attribution, in simulated worlds.

    python benchmarks/coverage.py [--worlds 500] [--record]

Each world draws a chain over six touchpoints (Dirichlet moves; 5% to 25% of departures convert, 15% to
40% drop off) and 1,000 customers with one to four journeys each, walks them, counts and estimates as the job
does, and asks of every 95% interval whether it holds the truth. Two kinds of worlds:

- *one chain*: every customer walks the same chain, as the models assume. Truth is in closed form;
- *tastes*: every customer walks one of two chains, in all journeys. The truth is what the same estimate gives
  of infinitely many customers: the chain of both kinds' expected moves together. Moves of one customer are
  alike here; the customers' intervals must still hold, and the edges' Wilson intervals need not.

Attribution is the share of first touch, last touch, linear and removal effect. The truth of linear is that
of 200,000 further journeys. Edges with fewer than 20 expected departures behind them are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from models.absorbing_chain import AbsorbingChain  # noqa: E402
from models.attribution import credit  # noqa: E402
from models.attribution_paths import count_paths, path_shares  # noqa: E402
from models.transition_counts import count_transitions  # noqa: E402
from models.transition_tables import finish  # noqa: E402

NODES, CUSTOMERS, SEED, LEAST = 6, 1000, 20260102, 20
NAMES = [f"t{i}" for i in range(NODES)]
ENDS = ["CONVERSION", "DROP_OFF"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--record", action="store_true", help="write docs/coverage.md")
    options = parser.parse_args()
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}; `python benchmarks/coverage.py --worlds {options.worlds}`.",
        "",
        "| 95% intervals of | one chain: held | of | tastes: held | of |",
        "|---|---|---|---|---|",
    ]
    kinds = [cover(options.worlds, tastes) for tastes in (1, 2)]
    for name in kinds[0]:
        cells = [f"{np.mean(kind[name]):.1%} | {len(kind[name]):,}" for kind in kinds]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    print("\n".join(lines))
    if options.record:
        about = (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]
        head = "# Coverage of the intervals\n\n" + about + "\n"
        (ROOT / "docs" / "coverage.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def cover(worlds: int, tastes: int) -> dict[str, list[bool]]:
    """Whether each interval of each world held the truth, by what it is of."""
    held: dict[str, list[bool]] = defaultdict(list)
    for world in range(worlds):
        rng = np.random.default_rng([SEED, tastes, world])
        chains = [chain(rng) for _ in range(tastes)]
        mean = expected_moves(chains)
        steps, journeys = tables(*walk(rng, chains, CUSTOMERS))
        stages, transitions = finish(count_transitions(steps, journeys, []))
        attribution = credit(count_paths(steps, journeys, ("touchpoint",)))
        ask_edges(held["edge probabilities"], mean, transitions)
        truth = AbsorbingChain(*named(mean))
        p = dict(zip(truth.nodes, truth.conversion_p, strict=True))
        for row in (r for r in stages.to_pylist() if r["node"] in p):
            held["conversion probabilities"].append(
                row["conversion_low"] <= p[row["node"]] <= row["conversion_high"]
            )
        ask_credit(held, rng, chains, mean, truth, attribution)
    return held


def chain(rng: np.random.Generator) -> np.ndarray:
    """Moves from START and each node to each node, CONVERSION and DROP_OFF."""
    moves = np.zeros((NODES + 1, NODES + 2))
    moves[0, :NODES] = rng.dirichlet(np.full(NODES, 2.0))
    moves[1:, NODES] = rng.uniform(0.05, 0.25, NODES)
    moves[1:, NODES + 1] = rng.uniform(0.15, 0.4, NODES)
    rest = 1 - moves[1:].sum(axis=1, keepdims=True)
    moves[1:, :NODES] = rest * rng.dirichlet(np.full(NODES, 1.0), NODES)
    return moves


def expected_moves(chains: list[np.ndarray]) -> np.ndarray:
    """Expected moves of one journey of a customer drawn at random."""
    total = np.zeros((NODES + 1, NODES + 2))
    for moves in chains:
        visits = moves[0, :NODES] @ np.linalg.inv(np.eye(NODES) - moves[1:, :NODES])
        total += np.append(1, visits)[:, None] * moves / len(chains)
    return total


def named(moves: np.ndarray) -> tuple[list[str], list[str], np.ndarray]:
    source, target = np.nonzero(moves)
    names = np.array([*NAMES, *ENDS])
    return (
        np.array(["START", *NAMES])[source].tolist(),
        names[target].tolist(),
        moves[source, target],
    )


def walk(
    rng: np.random.Generator, chains: list[np.ndarray], customers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Journey and node of each step, in order; whether each journey bought, and its customer."""
    taste = rng.integers(0, len(chains), customers)
    customer = np.repeat(np.arange(customers), rng.integers(1, 5, customers))
    bounds = np.array([moves.cumsum(axis=1) for moves in chains])
    n = len(customer)
    walker, at, parts = np.arange(n), np.zeros(n, int), []
    bought = np.zeros(n, bool)
    while len(walker):
        shares = bounds[taste[customer[walker]], at]
        state = np.minimum((rng.random(len(walker))[:, None] > shares).sum(axis=1), NODES + 1)
        bought[walker[state == NODES]] = True
        stays = state < NODES
        walker, at = walker[stays], state[stays] + 1
        parts.append((walker, at - 1))
    owner, node = (np.concatenate(c) for c in zip(*parts, strict=True))
    order = np.argsort(owner, kind="stable")
    return owner[order], node[order], bought, customer


def tables(
    owner: np.ndarray, node: np.ndarray, bought: np.ndarray, customer: np.ndarray
) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys; a conversion is a step of its own, as a purchase is."""
    n = len(bought)
    length = np.bincount(owner, minlength=n)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length) + 1
    buyers = np.flatnonzero(bought)
    names = np.array([*NAMES, "buy"])[np.concatenate((node, np.full(len(buyers), NODES)))]
    number = np.concatenate((number, length[buyers] + 1))
    steps = pa.table(
        {
            "journey_id": np.concatenate((owner, buyers)).astype(str),
            "step": number,
            "touchpoint": names,
            "event_time": pa.array(number * 1_000_000, pa.timestamp("us", "UTC")),
            "dwell_s": pa.nulls(len(number), pa.float64()),
            "converts": np.arange(len(number)) >= len(node),
        }
    )
    journeys = pa.table(
        {
            "journey_id": np.arange(n).astype(str),
            "customer_id": customer.astype(str),
            "outcome": np.where(bought, "converted", "lapsed"),
            "value": pa.nulls(n, pa.decimal128(18, 4)),
        }
    )
    return steps, journeys


def ask_edges(held: list[bool], mean: np.ndarray, transitions: pa.Table) -> None:
    """Edges between touchpoints and into drop-off; the purchase stands for CONVERSION."""
    column = {name: i for i, name in enumerate([*NAMES, "buy", "DROP_OFF"])}
    row_of = {name: i for i, name in enumerate(["START", *NAMES])}
    for row in transitions.to_pylist():
        if row["source_node"] != "buy" and row["denominator"] >= LEAST:
            moves = mean[row_of[row["source_node"]]]
            truth = moves[column[row["target_node"]]] / moves.sum()
            held.append(row["probability_low"] <= truth <= row["probability_high"])


def ask_credit(
    held: dict[str, list[bool]],
    rng: np.random.Generator,
    chains: list[np.ndarray],
    mean: np.ndarray,
    truth: AbsorbingChain,
    attribution: pa.Table,
) -> None:
    effect = truth.removal_effect[1:]
    owner, node, bought, _ = walk(rng, chains, 80_000)
    won = bought[owner]
    shares = path_shares(owner[won], node[won], np.zeros(won.sum()), 1.0)
    right = {"removal_effect": effect / effect.sum()}
    right["last"] = mean[1:, NODES] / mean[1:, NODES].sum()
    for model in ("first", "linear"):
        right[model] = np.bincount(node[won], shares[model], NODES) / bought.sum()
    for row in attribution.to_pylist():
        if row["model"] in right:
            share = right[row["model"]][NAMES.index(row["node"])]
            name = f"credit by {row['model']}"
            held[name].append(row["credit_low"] <= share <= row["credit_high"])


if __name__ == "__main__":
    main()
