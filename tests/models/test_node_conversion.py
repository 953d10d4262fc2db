"""Conversion probabilities: order, steps, time and intervals, against truth and brute force."""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pytest

from models.absorbing_chain import CONVERSION, DROP_OFF, START, AbsorbingChain
from models.chain_intervals import GroupedMoves, node_probabilities
from models.customer_groups import customer_groups
from models.transition_counts import count_transitions
from models.transition_tables import finish


def journeys_of(walks: list[str], customers: list[int]) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys of walks; a walk that ends with $ converted after its last touchpoint."""
    paths = [walk.rstrip("$") for walk in walks]
    lengths = np.array([len(path) for path in paths])
    ids = pa.array([f"j{i}" for i in range(len(walks))])
    owner = np.repeat(np.arange(len(walks)), lengths)
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    last = np.append(owner[1:] != owner[:-1], True)
    steps = pa.table(
        {
            "journey_id": ids.take(pa.array(owner)),
            "step": np.arange(len(owner)) - begins + 1,
            "touchpoint": list("".join(paths)),
            "dwell_s": pa.array(np.full(len(owner), 2.0), mask=last),
        }
    )
    journeys = pa.table(
        {
            "journey_id": ids,
            "customer_id": [f"c{c}" for c in customers],
            "outcome": ["converted" if walk.endswith("$") else "lapsed" for walk in walks],
        }
    )
    return steps, journeys


def walked(rng: np.random.Generator, chain: dict[str, dict[str, float]], n: int) -> list[str]:
    """Walks over states named by their last letter; '$' converts, '.' drops off."""
    walks = []
    rows = {state: (list(row), list(accumulate(row.values()))) for state, row in chain.items()}
    for _ in range(n):
        state, path = "^", ""
        while state not in "$.":
            targets, bounds = rows[state]
            state = targets[min(bisect(bounds, rng.random()), len(targets) - 1)]
            path += state[-1] if state != "." else ""
        walks.append(path)
    return walks


FORGETFUL = {"^": {"a": 0.5, "b": 0.5}, "a": {"b": 0.4, "a": 0.3, ".": 0.3},
             "b": {"a": 0.3, "$": 0.4, ".": 0.3}}  # fmt: skip
# Who comes to c from a buys, who comes from b leaves: c alone tells half of it.
MINDFUL = {"^": {"a": 0.5, "b": 0.5}, "a": {"ac": 0.8, ".": 0.2}, "b": {"bc": 0.8, ".": 0.2},
           "ac": {"$": 0.9, ".": 0.1}, "bc": {"$": 0.1, ".": 0.9}}  # fmt: skip


def nodes(walks: list[str], customers: list[int] | None = None) -> dict[str, dict]:
    """Rows of `stages` by node."""
    each = list(range(len(walks))) if customers is None else customers
    stages, _ = finish(count_transitions(*journeys_of(walks, each), []))
    return {row["node"]: row for row in stages.to_pylist()}


def test_second_order_where_it_is_needed_and_only_there() -> None:
    """A world that remembers is told by two nodes, one that forgets by one; both say so."""
    rng = np.random.default_rng(0)
    found = nodes(walked(rng, FORGETFUL, 2000))
    assert {row["chain_order"] for row in found.values()} == {1}
    # From a: p_a = .4 p_b / .7; from b: p_b = .4 + .3 p_a.
    p_b = 0.4 / (1 - 0.3 * 0.4 / 0.7)
    assert found["b"]["conversion_p"] == pytest.approx(p_b, abs=0.03)
    mindful = walked(rng, MINDFUL, 2000)
    found = nodes(mindful)
    assert {row["chain_order"] for row in found.values()} == {2}
    for node, truth in (("a", 0.72), ("b", 0.08), ("c", 0.5)):
        assert found[node]["conversion_p"] == pytest.approx(truth, abs=0.03)
        assert found[node]["conversion_low"] < truth < found[node]["conversion_high"]
    first = sum(walk.startswith("a") and walk.endswith("$") for walk in mindful)
    assert found["a"]["conversion_p"] == pytest.approx(first / sum(w[0] == "a" for w in mindful))


def test_steps_and_time_are_those_of_the_walks_that_convert() -> None:
    """Of buyers from b, some go around by a: steps and seconds equal sums over all such walks."""
    walks = ["b$"] * 4 + ["bab$"] * 2 + ["ba"] * 3 + ["b"]
    found = nodes(walks)
    # Walks from b that convert: k rounds over a, each with probability q, then the conversion.
    to_a, back, buy = 5 / 12, 2 / 5, 6 / 12
    chances = np.array([(to_a * back) ** k * buy for k in range(200)])
    steps = (chances * (2 * np.arange(200))).sum() / chances.sum()
    assert found["b"]["conversion_p"] == pytest.approx(chances.sum())
    assert found["b"]["steps_to_conversion"] == pytest.approx(steps, abs=1e-9)
    assert found["b"]["time_to_conversion_s"] == pytest.approx(2 * steps, abs=1e-9)


def test_interval_is_that_of_a_bootstrap_over_customers() -> None:
    """Customers have three alike journeys each: the width is that of redrawing customers."""
    rng = np.random.default_rng(1)
    walks = [walk for walk in walked(rng, FORGETFUL, 400) for _ in range(3)]
    customers = np.repeat(np.arange(400), 3)
    found = nodes(walks, customers.tolist())
    drawn = []
    for _ in range(300):
        again = [walks[3 * c] for c in rng.integers(0, 400, 400)]
        ended = [walk if walk.endswith("$") else walk + "." for walk in again]
        pairs = [pair for walk in ended for pair in zip("^" + walk[:-1], walk, strict=True)]
        edges, count = np.unique(pairs, axis=0, return_counts=True)
        name = {"^": START, "$": CONVERSION, ".": DROP_OFF}
        ends = [[name.get(x, x) for x in column] for column in edges.T.tolist()]
        drawn.append(AbsorbingChain(*ends, count).conversion_p[1:])
    for node, spread in zip("ab", np.std(drawn, axis=0), strict=True):
        width = (found[node]["conversion_high"] - found[node]["conversion_low"]) / 4
        assert width == pytest.approx(spread, rel=0.25)


def test_intervals_cover_the_truth() -> None:
    """Of 60 worlds' intervals for both nodes, about 95% hold the true probability."""
    p_b = 0.4 / (1 - 0.3 * 0.4 / 0.7)
    truth = {"a": p_b * 4 / 7, "b": p_b}
    held = []
    for seed in range(60):
        found = nodes(walked(np.random.default_rng([2, seed]), FORGETFUL, 300))
        held += [
            row["conversion_low"] <= truth[node] <= row["conversion_high"]
            for node, row in found.items()
        ]
    assert 0.89 <= np.mean(held) <= 0.99


def test_few_customers_are_not_certain() -> None:
    """Three customers who all bought leave room for doubt; order of the moves means nothing."""
    chain = AbsorbingChain([START, "a"], ["a", CONVERSION], [3, 3])
    each = np.array([3, 9, 27])
    source, target = np.repeat([0, 1], 3), np.repeat([1, 2], 3)
    moves = GroupedMoves(source, target, np.tile(each, 2), np.ones(6, np.int64))
    found = node_probabilities(chain, moves)
    assert found.p.tolist() == [1, 1] and (found.low < 0.5).all() and (found.high == 1).all()
    shuffled = GroupedMoves(
        *(getattr(moves, f)[::-1] for f in ("source", "target", "group", "count"))
    )
    assert node_probabilities(chain, shuffled).low.tolist() == found.low.tolist()


def test_groups_follow_from_the_customer_alone() -> None:
    """Neither company nor order moves a customer to another group, and groups are of one size."""
    ids = pa.array([f"c{i}" for i in range(20_000)])
    groups = customer_groups(ids)
    assert customer_groups(ids[::-1]).tolist() == groups[::-1].tolist()
    sizes = np.bincount(groups, minlength=64)
    assert len(sizes) == 64 and sizes.min() > 220 and sizes.max() < 410
