"""The NetworkX graph holds what the tables hold, and GraphML holds what the graph holds."""

from __future__ import annotations

import networkx as nx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from models.graph import read_graphml, to_graph, to_graphml, to_tables
from models.transition_counts import count_transitions
from models.transition_tables import finish
from tests.models.test_transition_counts import world

WALKS = [
    (1, "converted", "mobile", "aabce"),
    (2, "lapsed", "mobile", "ab"),
    (3, "open", None, "ca"),
    (3, "converted", "desktop", "ce"),
]


@pytest.fixture(scope="module")
def tables() -> tuple[pa.Table, pa.Table]:
    """Stages and transitions of four journeys."""
    return finish(count_transitions(*world(WALKS), ["device"]))


@pytest.mark.parametrize("level", ["stage", "touchpoint", "channel"])
def test_there_and_back(tables: tuple[pa.Table, pa.Table], level: str) -> None:
    """Tables to graph to GraphML to graph to tables changes nothing."""
    graph = to_graph(*tables, level, "device", "mobile")
    again = read_graphml(to_graphml(graph))
    assert nx.utils.graphs_equal(graph, again)
    for table, whole in zip(to_tables(again), tables, strict=True):
        mine = pc.and_(pc.equal(whole["level"], level), pc.equal(whole["segment_value"], "mobile"))
        assert table.equals(whole.filter(mine))


def test_flow_in_the_graph(tables: tuple[pa.Table, pa.Table]) -> None:
    """At every node in-degree, out-degree and visits are one number when weighted by count."""
    graph = to_graph(*tables, "touchpoint")
    for name, kind in graph.nodes(data="kind"):
        if kind == "node":
            flow = graph.in_degree(name, "count"), graph.out_degree(name, "count")
            assert set(flow) == {graph.nodes[name]["visits"]}
    assert {n for n, kind in graph.nodes(data="kind") if kind != "node"} == {
        "START", "CONVERSION", "DROP_OFF", "OPEN",
    }  # fmt: skip


def test_unknown_is_absent(tables: tuple[pa.Table, pa.Table]) -> None:
    """A move to OPEN has no probability, a last node no dwell time."""
    graph = to_graph(*tables, "touchpoint")
    assert "probability" not in graph.edges["a", "OPEN"]
    assert graph.edges["a", "OPEN"]["count"] == 1
    assert "dwell_p50_s" not in graph.nodes["e"]


def test_unknown_slice_is_named(tables: tuple[pa.Table, pa.Table]) -> None:
    """Asking for a slice that is not there lists those that are."""
    with pytest.raises(KeyError, match="touchpoint device mobile"):
        to_graph(*tables, "touchpoint", "device", "watch")
