"""Filters put things out of sight and leave every sum as it was."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.graph import to_graph, to_tables
from models.graph_filters import collapse_loops, group_rest, hide_moves
from models.transition_counts import count_transitions
from models.transition_tables import finish
from tests.models.test_transition_counts import WALKS, world

ENDS = ("CONVERSION", "DROP_OFF", "OPEN")


def graph_of(walks: list) -> nx.DiGraph:
    return to_graph(*finish(count_transitions(*world(walks), [])), "touchpoint")


def check(small: nx.DiGraph, graph: nx.DiGraph) -> None:
    """Flow is conserved, ends are reached as often, shares are counts over denominators."""
    for weight in ("count", "settled"):
        for end in ("START", *ENDS):
            if end in graph:
                assert small.degree(end, weight) == graph.degree(end, weight)
    for node, data in small.nodes(data=True):
        if data["kind"] == "node":
            flow = {small.in_degree(node, "count"), small.out_degree(node, "count")}
            assert flow == {data["visits"]}
            assert data["settled"] == small.out_degree(node, "settled")
        shares = [e for _, b, e in small.out_edges(node, data=True) if b != "OPEN"]
        if any("probability" in e for e in shares):
            assert sum(e["probability"] for e in shares) == pytest.approx(1)
            for e in shares:
                assert e["probability"] == e["count"] / e["denominator"]
                assert e["probability_low"] <= e["probability"] <= e["probability_high"]
    stages, transitions = to_tables(small)
    assert len(stages) + len(transitions) > 0


@settings(max_examples=25, deadline=None)
@given(WALKS.filter(bool), st.floats(0, 0.6))
def test_sums_stay_right(walks: list, share: float) -> None:
    """Every filter, and all of them one after the other, conserves flow."""
    graph = graph_of(walks)
    loose = collapse_loops(graph)
    assert not any(a == b for a, b in loose.edges)
    check(loose, graph)
    few = group_rest(graph, share)
    check(few, graph)
    assert few.size("count") == graph.size("count")
    hidden = hide_moves(graph, share)
    check(hidden, graph)
    check(hide_moves(group_rest(loose, share), share), graph)


def test_loops_by_hand() -> None:
    """Two repeats of a are gone, with their visits; who comes and goes is not."""
    graph = graph_of([(1, "converted", None, "aaab"), (2, "lapsed", None, "a")])
    small = collapse_loops(graph)
    assert (graph.nodes["a"]["visits"], small.nodes["a"]["visits"]) == (4, 2)
    assert small.nodes["a"]["drop_off_p"] == 0.5 and small.nodes["a"]["journeys"] == 2
    assert small.nodes["a"]["conversion_p"] == graph.nodes["a"]["conversion_p"]
    assert "dwell_p50_s" not in small.nodes["a"]


def test_rest_by_hand() -> None:
    """The two rare nodes are one; the mean of what they know is weighted by what it rests on."""
    walks = [(i, "lapsed", None, "aaaa") for i in range(8)]
    walks += [(8, "converted", None, "b"), (9, "lapsed", None, "bcc")]
    graph = graph_of(walks)
    small = group_rest(graph, 0.2)
    assert sorted(n for n, kind in small.nodes(data="kind") if kind == "node") == ["a", "other"]
    rest = small.nodes["other"]
    settled = [graph.nodes[n]["settled"] for n in "bc"]
    means = [graph.nodes[n]["conversion_p"] for n in "bc"]
    assert rest["visits"] == 4 and rest["conversion_p"] == pytest.approx(
        np.average(means, weights=settled)
    )
    assert "journeys" not in rest and small.nodes["a"] == graph.nodes["a"]


def test_hidden_moves_go_by_way_of_other() -> None:
    """A rare move a > c becomes a > other > c; how often c is seen does not change."""
    walks = [(i, "lapsed", None, "ab") for i in range(19)] + [(19, "lapsed", None, "ac")]
    graph = graph_of(walks)
    small = hide_moves(graph, 0.1)
    assert not small.has_edge("a", "c")
    assert small.edges["a", "other"]["count"] == small.edges["other", "c"]["count"] == 1
    assert small.nodes["c"]["visits"] == graph.nodes["c"]["visits"] == 1
    assert nx.utils.graphs_equal(hide_moves(graph, 0.0), graph)
