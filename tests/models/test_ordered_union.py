"""Unions under limits are what the plain loop makes of all edges, in any order of the rows."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ordered_union import Limit, ordered_union

KINDS = 3
EACH = 5
SIZE = KINDS * EACH
PAIRS = [(0, 1), (0, 2), (1, 2)]
RANK = np.random.default_rng(3).permutation(SIZE).astype(np.uint64)
NODE = st.none() | st.integers(0, EACH - 1)
ROW = st.tuples(NODE, NODE, NODE, st.integers(0, 4))
Row = tuple[int | None, int | None, int | None, int]


def arrays(rows: list[Row]) -> tuple[list[np.ndarray], np.ndarray]:
    columns = [
        np.array([-1 if row[k] is None else row[k] + k * EACH for row in rows], np.int32)
        for k in range(KINDS)
    ]
    return columns, np.array([row[3] for row in rows], np.int64)


def limits(most: list[int | None]) -> list[Limit]:
    return [
        Limit(str(kind), np.arange(kind * EACH, (kind + 1) * EACH), number)
        for kind, number in enumerate(most)
        if number is not None
    ]


def unite(rows: list[Row], most: list[int | None]) -> tuple[set[frozenset[int]], list[Any]]:
    columns, first = arrays(rows)
    union = ordered_union(columns, PAIRS, first, SIZE, limits(most), RANK)
    assert sorted(set(union.labels.tolist())) == list(range(union.count))
    refused = union.refusals
    return groups(union.labels), list(
        zip(*(getattr(refused, n).tolist() for n in ("left", "right", "first_us")), strict=True)
    )


def groups(labels: Any) -> set[frozenset[int]]:
    found: dict[int, set[int]] = {}
    for node, label in enumerate(np.asarray(labels).tolist()):
        found.setdefault(label, set()).add(node)
    return {frozenset(group) for group in found.values()}


def plainly(rows: list[Row], most: list[int | None]) -> tuple[set[frozenset[int]], list[Any]]:
    """The definition: all edges in order, one after the other."""
    columns, first = arrays(rows)
    edges = {
        (place, columns[i][r], columns[j][r]): min(
            first[q]
            for q in range(len(rows))
            if columns[i][q] == columns[i][r] and columns[j][q] == columns[j][r]
        )
        for place, (i, j) in enumerate(PAIRS)
        for r in range(len(rows))
        if columns[i][r] >= 0 and columns[j][r] >= 0
    }
    ordered = sorted((c, t, RANK[a], RANK[b], a, b) for (c, a, b), t in edges.items())
    group = {node: {node} for node in range(SIZE)}
    refused = []
    for _, time, _, _, a, b in ordered:
        if group[a] is group[b]:
            continue
        both = group[a] | group[b]
        held = [sum(n // EACH == kind for n in both) for kind in range(KINDS)]
        if any(m is not None and h > m for h, m in zip(held, most, strict=True)):
            refused.append((int(a), int(b), int(time)))
            continue
        for node in both:
            group[node] = both
    return {frozenset(g) for g in group.values()}, refused


MOST = st.lists(st.none() | st.integers(1, 3), min_size=KINDS, max_size=KINDS)


@settings(max_examples=500)
@given(st.lists(ROW, max_size=25), MOST, st.randoms(use_true_random=False))
def test_the_fast_way_is_the_plain_loop_in_any_order(
    rows: list[Row], most: list[int | None], chance: Any
):
    """Same components and same refusals as one loop over all edges; shuffled and repeated rows
    change nothing; no limit is broken.
    """
    found = unite(rows, most)
    assert found == plainly(rows, most)
    again = rows + rows[: len(rows) // 2]
    chance.shuffle(again)
    assert unite(again, most) == found
    for group in found[0]:
        for kind, number in enumerate(most):
            assert number is None or sum(node // EACH == kind for node in group) <= number


@settings(max_examples=500)
@given(st.lists(ROW, max_size=25))
def test_without_limits_it_is_connected_components(rows: list[Row]):
    """networkx finds the same groups, and nothing is refused."""
    graph = nx.Graph()
    graph.add_nodes_from(range(SIZE))
    for row in rows:
        nx.add_path(graph, [n + k * EACH for k, n in enumerate(row[:3]) if n is not None])
    found, refused = unite(rows, [None] * KINDS)
    assert found == {frozenset(group) for group in nx.connected_components(graph)}
    assert refused == []


def test_what_is_united_already_counts():
    """Components to start from are kept, and weigh what they hold."""
    start = np.array([0, 0, 1, 2, 3], np.int32)
    columns = [np.array([0, 2]), np.array([3, 3])]
    limit = Limit("first", np.array([0, 1, 2]), 2)
    rank = np.arange(5)
    union = ordered_union(columns, [(0, 1)], np.array([5, 4]), 5, [limit], rank, start)
    assert groups(union.labels) == {frozenset({0, 1}), frozenset({2, 3}), frozenset({4})}
    assert (union.refusals.left.tolist(), union.refusals.right.tolist()) == ([0], [3])


def test_nothing_is_no_error():
    """No nodes, no rows."""
    none = np.zeros(0, np.int32)
    union = ordered_union([none, none], [(0, 1)], none, 0, [Limit("x", none, 1)], none)
    assert (union.count, len(union.labels)) == (0, 0)
