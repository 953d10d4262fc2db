"""Making a graph small enough to read without making it wrong.

Each filter takes the graph of one slice (`models.graph.to_graph`) and gives a new one in which flow is
still conserved: arrivals equal departures at every node, START is left and an end is reached by every
journey. What is put out of sight is put somewhere:

- `collapse_loops`: moves from a node to itself are dropped, and as many visits with them;
- `group_rest`: nodes with less than a share of all visits become one node, ``other``;
- `hide_moves`: of moves between nodes, those with less than a share of their node's departures are led
  by way of ``other``: one arrival and one departure there for each.

Counts are added; shares and Wilson intervals are computed anew. What can't be had from sums is
absent: distinct journeys and customers of what was merged, quantiles of changed dwell times.
Conversion probabilities of untouched nodes stay; that of ``other`` is the mean over the visits it stands
for, and has no interval.
"""

from __future__ import annotations

from typing import Any

import networkx as nx

from contracts.config import END_NODES, OTHER
from models.absorbing_chain import DROP_OFF, OPEN, START
from models.intervals import wilson_interval

__all__ = ["collapse_loops", "group_rest", "hide_moves"]

_SUMMED = ("count", "settled")
_DWELL = ("dwell_p10_s", "dwell_p50_s", "dwell_p90_s")
_MEANS = {
    "conversion_p": "settled", "csat": "csat_answers", "nps": "nps_answers",
    "sentiment": "sentiment_answers",
}  # fmt: skip
"""Means of a node that can be averaged, and what they are means over."""

Attributes = dict[str, Any]


def collapse_loops(graph: nx.DiGraph) -> nx.DiGraph:
    """Drop the moves from a node to itself.

    Examples
    --------
    >>> graph = nx.DiGraph()
    >>> graph.add_node("a", kind="node", visits=5, settled=5)
    >>> graph.add_edge("START", "a", count=2, settled=2)
    >>> graph.add_edge("a", "a", count=3, settled=3)
    >>> graph.add_edge("a", "CONVERSION", count=2, settled=2)
    >>> small = collapse_loops(graph)
    >>> small.nodes["a"]["visits"], small.edges["a", "CONVERSION"]["probability"]
    (2, 1.0)
    """
    result = _copy(graph)
    for node in [a for a, b in graph.edges if a == b]:
        result.remove_edge(node, node)
        gone = (*_DWELL, "steps_to_conversion", "time_to_conversion_s")
        _forget(result.nodes[node], gone)
        for _, _, edge in result.out_edges(node, data=True):
            _forget(edge, _DWELL)
    return _with_rates(result)


def group_rest(graph: nx.DiGraph, min_share: float, name: str = OTHER) -> nx.DiGraph:
    """Make one node of all that have less than a share of all visits, and of `name` itself.

    Parameters
    ----------
    graph : nx.DiGraph
    min_share : float
        Of all visits, 0..1; a node with exactly this share stays.
    name : str
        What the rest is called.
    """
    visits = {n: d["visits"] for n, d in graph.nodes(data=True) if _inner(n)}
    least = min_share * sum(visits.values())
    rest = {n for n, count in visits.items() if count < least} | ({name} & visits.keys())
    return _with_rates(_merged(graph, rest, name)) if len(rest) > 1 else _copy(graph)


def hide_moves(graph: nx.DiGraph, min_share: float, name: str = OTHER) -> nx.DiGraph:
    """Lead rare moves between nodes by way of one node for the rest.

    Parameters
    ----------
    graph : nx.DiGraph
    min_share : float
        Of the known departures from a node, 0..1; a move with exactly this share stays. Moves from
        START and into the ends stay, too, for they say how journeys begin and end.
    name : str
        What the rest is called.
    """
    rare = [
        (a, b)
        for a, b, edge in graph.edges(data=True)
        if _inner(a) and _inner(b) and name not in (a, b)
        and edge.get("probability", 1.0) < min_share
    ]  # fmt: skip
    result = _copy(graph)
    led_to: dict[str, int] = {}
    for a, b in rare:
        edge = dict(result.edges[a, b])
        result.remove_edge(a, b)
        if name not in result:
            result.add_node(name, kind="node")
        for ends in ((a, name), (name, b)):
            _add_edge(result, ends, edge)
        led_to[b] = led_to.get(b, 0) + edge.get("settled", 0)
    if rare:
        _average_in(result, name, led_to, graph)
    return _with_rates(result)


def _inner(node: str) -> bool:
    return node not in END_NODES


def _copy(graph: nx.DiGraph) -> nx.DiGraph:
    copy: nx.DiGraph = graph.copy()
    return copy


def _merged(graph: nx.DiGraph, rest: set[str], name: str) -> nx.DiGraph:
    result = nx.DiGraph(**graph.graph)
    for node, data in graph.nodes(data=True):
        if node not in rest:
            result.add_node(node, **data)
    parts = [graph.nodes[node] for node in sorted(rest)]
    known = {key for part in parts for key in part if key.endswith("_answers")}
    summed: Attributes = {
        key: sum(part.get(key, 0) for part in parts) for key in ("settled", *sorted(known))
    }
    for mean, weight in _MEANS.items():
        told = [(p[mean], p.get(weight, 0)) for p in parts if mean in p]
        if total := sum(w for _, w in told):
            summed[mean] = sum(value * w for value, w in told) / total
    result.add_node(name, kind="node", **summed)
    for a, b, edge in graph.edges(data=True):
        ends = tuple(name if end in rest else end for end in (a, b))
        if ends == (a, b):
            result.add_edge(a, b, **edge)
        else:
            _add_edge(result, ends, edge)
    return result


def _add_edge(graph: nx.DiGraph, ends: tuple[str, ...], edge: Attributes) -> None:
    """Add counts to an edge; what can't be added is no longer known of it."""
    before = graph.edges[ends] if graph.has_edge(*ends) else {}
    added = {key: before.get(key, 0) + edge.get(key, 0) for key in _SUMMED}
    if before:
        graph.remove_edge(*ends)
    graph.add_edge(*ends, **added)


def _average_in(graph: nx.DiGraph, name: str, led_to: dict[str, int], before: nx.DiGraph) -> None:
    """P(conversion) from ``other``: that of the nodes it leads on to, and its own visits'."""
    own = dict(before.nodes[name]) if name in before else {}
    told = [(before.nodes[b].get("conversion_p"), n) for b, n in led_to.items()]
    told.append((own.get("conversion_p"), own.get("settled", 0)))
    known = [(p, n) for p, n in told if p is not None and n]
    kept = {key: own[key] for key in own if key.endswith("_answers") or key in _MEANS}
    graph.nodes[name].clear()
    graph.nodes[name].update(kind="node", **kept, settled=sum(n for _, n in told))
    if known:
        graph.nodes[name]["conversion_p"] = sum(p * n for p, n in known) / sum(n for _, n in known)


def _forget(data: Attributes, names: tuple[str, ...]) -> None:
    for name in names:
        data.pop(name, None)


def _with_rates(graph: nx.DiGraph) -> nx.DiGraph:
    """Visits, drop-off and shares as the counts on the edges say."""
    for node, data in graph.nodes(data=True):
        out = dict(graph[node])
        departures = sum(edge["count"] for edge in out.values())
        known = departures - out.get(OPEN, {}).get("count", 0)
        for target, edge in out.items():
            edge["denominator"] = known
            _rate(edge, "probability", "probability", edge["count"], known * (target != OPEN))
        if _inner(node):
            drops = out.get(DROP_OFF, {}).get("count", 0)
            settled = sum(edge.get("settled", 0) for edge in out.values())
            data.update(
                visits=departures, settled=settled, drop_offs=drops, opens=departures - known
            )
            _rate(data, "drop_off_p", "drop_off", drops, known)
        elif node == START:
            data["kind"] = "start"
    return graph


def _rate(data: Attributes, name: str, prefix: str, count: int, denominator: int) -> None:
    _forget(data, (name, f"{prefix}_low", f"{prefix}_high"))
    if denominator:
        low, high = wilson_interval(count, denominator)
        data.update(
            {name: count / denominator, f"{prefix}_low": float(low), f"{prefix}_high": float(high)}
        )
