"""The absorbing chain against brute force: really removing nodes, and really walking."""

from __future__ import annotations

import time

import numpy as np
import pytest

from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN, START, AbsorbingChain

Edges = dict[tuple[str, str], float]


def chain_of(edges: Edges) -> AbsorbingChain:
    """The chain of edges {(source, target): count}."""
    return AbsorbingChain([a for a, _ in edges], [b for _, b in edges], list(edges.values()))


def random_edges(rng: np.random.Generator) -> Edges:
    """A sparse random graph; some of its nodes only drop off, some lead only to OPEN."""
    n = int(rng.integers(1, 12))
    names = [f"n{i}" for i in range(n)]
    edges: Edges = {(START, names[0]): 5.0}
    for a in (START, *names):
        targets = [*names, CONVERSION, DROP_OFF, OPEN]
        for b in rng.choice(targets, size=int(rng.integers(1, 5))):
            edges[a, str(b)] = float(rng.integers(1, 20))
    for a in names[n // 2 :]:
        if rng.random() < 0.2:
            edges = {e: c for e, c in edges.items() if e[0] != a}
            edges[a, str(rng.choice([DROP_OFF, OPEN]))] = 3.0
    return edges


def conversion_by_walking(edges: Edges, *removed: str) -> dict[str, float]:
    """P(conversion) by moving probability along the edges until all of it has ended."""
    ends = {CONVERSION, DROP_OFF}
    known = {a for a, b in edges if b in ends}
    for _ in edges:
        known |= {a for a, b in edges if b in known}
    kept = {e: c for e, c in edges.items() if e[0] in known and e[1] in known | ends}
    nodes = sorted({a for a, _ in kept})
    share = np.zeros((len(nodes), len(nodes) + 1))
    for (a, b), count in kept.items():
        total = sum(c for (x, _), c in kept.items() if x == a)
        if b == CONVERSION:
            share[nodes.index(a), -1] += count / total
        elif b in nodes and b not in removed:
            share[nodes.index(a), nodes.index(b)] += count / total
    steps, p = share[:, :-1], share[:, -1]
    for _ in range(60):  # after k rounds all walks of up to 2^k moves are counted
        p, steps = p + steps @ p, steps @ steps
    return dict(zip(nodes, p, strict=True))


def test_worked_example_is_exact() -> None:
    """DESIGN's five journeys: P = 0.8, effects 0.75 and 0.5, credits 2.4 and 1.6 of 4."""
    chain = chain_of(
        {
            (START, "google"): 4, (START, "mailing"): 1, ("google", CONVERSION): 2,
            ("google", "mailing"): 1, ("google", DROP_OFF): 1, ("mailing", CONVERSION): 2,
        }
    )  # fmt: skip
    effect = chain.removal_effect
    assert chain.conversion_p[0] == pytest.approx(0.8, abs=1e-15)
    assert effect.tolist() == pytest.approx([0, 0.75, 0.5], abs=1e-15)
    assert (4 * effect / effect.sum()).tolist() == pytest.approx([0, 2.4, 1.6], abs=1e-15)
    assert chain.expected_steps.tolist() == pytest.approx([2.2, 1.25, 1])


@pytest.mark.parametrize("seed", range(1000))
def test_equals_brute_force(seed: int) -> None:
    """Probabilities and all removal effects equal those of graphs walked with the node removed."""
    edges = random_edges(np.random.default_rng(seed))
    chain = chain_of(edges)
    walked = conversion_by_walking(edges)
    for node, p, effect in zip(chain.nodes, chain.conversion_p, chain.removal_effect, strict=True):
        if node not in walked:
            assert np.isnan(p) and effect == 0
            continue
        assert p == pytest.approx(walked[node], abs=1e-12)
        if node != START and walked.get(START, 0) > 0:
            without = conversion_by_walking(edges, node)[START]
            assert effect == pytest.approx(1 - without / walked[START], abs=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_sets_removed_together_equal_brute_force(seed: int) -> None:
    """The effect of a set of nodes is what is lost without all of them."""
    rng = np.random.default_rng(seed)
    edges = random_edges(rng)
    chain = chain_of(edges)
    whole = conversion_by_walking(edges).get(START, 0)
    nodes = np.arange(1, len(chain.nodes))
    for size in range(1, min(len(nodes), 4) + 1):
        chosen = rng.choice(nodes, size, replace=False)
        lost = chain.removal_effects([chosen.tolist()])[0]
        without = conversion_by_walking(edges, *(chain.nodes[i] for i in chosen)).get(START, 0)
        assert lost == pytest.approx(1 - without / whole if whole else 0, abs=1e-12)


def test_a_thousand_nodes_take_less_than_a_second() -> None:
    """Processor time of graph and all removal effects, best of three; one effect is checked by removing the node."""
    rng = np.random.default_rng(0)
    names = np.array([START, *(f"n{i}" for i in range(1000)), CONVERSION, DROP_OFF])
    source = np.repeat(np.arange(1001), 12)
    target = rng.integers(1, 1003, len(source))
    count = rng.integers(1, 50, len(source))
    ends = names[source].tolist(), names[target].tolist()
    seconds = []
    for _ in range(3):
        started = time.process_time()
        chain = AbsorbingChain(*ends, count)
        effect = chain.removal_effect
        seconds.append(time.process_time() - started)
    assert min(seconds) < 1
    to = [DROP_OFF if name == "n7" else name for name in ends[1]]
    without = AbsorbingChain(ends[0], to, count).conversion_p[0] / chain.conversion_p[0]
    assert effect[chain.nodes.index("n7")] == pytest.approx(1 - without, abs=1e-12)


def test_no_way_to_convert_is_zero_and_unknown_is_nan() -> None:
    """A node that only drops off has probability 0; one that only stands open has none."""
    chain = chain_of(
        {
            (START, "a"): 4, ("a", CONVERSION): 1, ("a", "dead"): 1, ("dead", DROP_OFF): 1,
            ("a", "new"): 2, ("new", "newer"): 1, ("newer", "new"): 1, ("new", OPEN): 2,
        }
    )  # fmt: skip
    p = dict(zip(chain.nodes, chain.conversion_p.tolist(), strict=True))
    assert p == pytest.approx(
        {START: 0.5, "a": 0.5, "dead": 0, "new": np.nan, "newer": np.nan}, nan_ok=True
    )
    assert dict(zip(chain.nodes, chain.removal_effect, strict=True))["new"] == 0


def test_nobody_converts_or_all_is_open() -> None:
    """Without conversions every effect is 0; without any end nothing is known."""
    assert chain_of({(START, "a"): 1, ("a", DROP_OFF): 1}).removal_effect.tolist() == [0, 0]
    unknown = chain_of({(START, "a"): 1, ("a", OPEN): 1})
    assert np.isnan(unknown.conversion_p).all() and np.isnan(unknown.expected_steps).all()
    assert unknown.removal_effect.tolist() == [0, 0]
    assert chain_of({}).nodes == (START,)


def test_loops_on_a_node_change_no_probability() -> None:
    """Repeats of a node add steps, not chances."""
    plain = {(START, "a"): 1.0, ("a", CONVERSION): 1.0, ("a", DROP_OFF): 3.0}
    loops = chain_of(plain | {("a", "a"): 4.0})
    assert loops.conversion_p.tolist() == pytest.approx(chain_of(plain).conversion_p.tolist())
    assert loops.expected_steps.tolist() == pytest.approx([3, 2])


def test_ends_are_ends() -> None:
    """A move into START or out of an end is refused."""
    with pytest.raises(ValueError, match="enter START"):
        chain_of({("a", START): 1})
    with pytest.raises(ValueError, match="leave CONVERSION"):
        chain_of({(CONVERSION, "a"): 1})
