"""The stage-transition graph as a NetworkX graph, and as GraphML for other tools.

`to_graph` takes one slice (a level, a segment, a value) of `stages` and `transitions`, and
`to_tables` gives it back.

- Graph attributes: ``level``, ``segment``, ``segment_value``.
- Nodes: START with ``kind`` ``start``; CONVERSION, DROP_OFF and OPEN with ``kind`` ``end``;
  stages, touchpoints or channels with ``kind`` ``node`` and the columns of `stages`: ``visits``,
  ``journeys``,
  ``customers``, ``dwell_p50_s``, ``csat``, ``conversion_p``, ``drop_off_p`` ...
- Edges: the columns of `transitions`: ``count``, ``journeys``, ``customers``, ``denominator``,
  ``probability``, ``probability_low``, ``probability_high``, ``dwell_p50_s`` ...

An attribute is an int or a float as in the table, and is absent where the table has null: what is
not known is not written as a number. GraphML declares these types: `read_graphml` gives the same
graph.

References
----------
.. [1] U. Brandes, M. Eiglsperger, J. Lerner, C. Pich, "Graph markup language (GraphML)", in
   *Handbook of Graph Drawing and Visualization*, CRC Press 2013.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import networkx as nx
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import END_NODES
from contracts.schemas import TABLES, table_schema
from models.absorbing_chain import START

__all__ = ["read_graphml", "to_graph", "to_graphml", "to_tables"]

_SLICE = ("level", "segment", "segment_value")


def to_graph(
    stages: pa.Table,
    transitions: pa.Table,
    level: str,
    segment: str = "all",
    segment_value: str = "all",
) -> nx.DiGraph:
    """Make a directed graph of one slice of the tables.

    Parameters
    ----------
    stages, transitions : pa.Table
        As published (`contracts.schemas`).
    level, segment, segment_value : str
        The slice.

    Raises
    ------
    KeyError
        If the tables have no such slice; the message lists those there are.
    """
    wanted = (level, segment, segment_value)
    edges = _of_slice(transitions, wanted)
    if not edges.num_rows:
        rows = transitions.select(_SLICE).group_by(_SLICE).aggregate([]).sort_by("segment_value")
        known = sorted(" ".join(row.values()) for row in rows.to_pylist())
        raise KeyError(f"no slice {' '.join(wanted)}; there are: {', '.join(known)}")
    graph = nx.DiGraph(**dict(zip(_SLICE, wanted, strict=True)))
    for row in _of_slice(stages, wanted).to_pylist():
        graph.add_node(row.pop("node"), kind="node", **_known(row))
    for row in edges.to_pylist():
        source, target = row.pop("source_node"), row.pop("target_node")
        for end in {source, target} & set(END_NODES):
            graph.add_node(end, kind="start" if end == START else "end")
        graph.add_edge(source, target, **_known(row))
    return graph


def to_tables(graph: nx.DiGraph) -> tuple[pa.Table, pa.Table]:
    """Give back the rows of `stages` and `transitions` that `to_graph` made the graph of."""
    nodes = [
        {**graph.graph, "node": name, **attributes}
        for name, attributes in graph.nodes(data=True)
        if attributes["kind"] == "node"
    ]
    edges = [
        {**graph.graph, "source_node": source, "target_node": target, **attributes}
        for source, target, attributes in graph.edges(data=True)
    ]
    return _table("stages", nodes), _table("transitions", edges)


def to_graphml(graph: nx.DiGraph) -> str:
    """Write a graph as GraphML text."""
    return "\n".join(nx.generate_graphml(graph)) + "\n"


def read_graphml(text: str) -> nx.DiGraph:
    """Read the graph that `to_graphml` wrote."""
    graph = nx.parse_graphml(text)
    for unneeded in ("node_default", "edge_default"):
        graph.graph.pop(unneeded, None)
    return graph


def _of_slice(table: pa.Table, wanted: tuple[str, ...]) -> pa.Table:
    masks = [pc.equal(table[n], v) for n, v in zip(_SLICE, wanted, strict=True)]
    return table.filter(reduce(pc.and_, masks)).drop(list(_SLICE))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    keys = [(key, "ascending") for key in TABLES[name].key]
    return pa.Table.from_pylist(rows, schema=table_schema(name)).sort_by(keys)
