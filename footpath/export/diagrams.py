"""The graph as text that other programs read: Mermaid, draw.io, Lucidchart, GraphML, DOT.

A drawing of the graph hangs beside the map, and one of their numbers looks like another that means something
else: the share of departures that lead to CONVERSION, the end of journeys that converted *there or before*, and
the map's probability to convert *from there on*. So boxes bear both counts of the map, the ends say in words what
they are, and every drawing holds `LEGEND`.

References
----------
.. [1] Mermaid, "Flowcharts" and "User journey diagram", https://mermaid.js.org/.
.. [2] Lucid, "Process Diagram Import from CSV", help center article 115003866723.
.. [3] Graphviz, "The DOT language", https://graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from footpath.csv_text import csv_text
from footpath.export.content import Content, Row, shown_of

__all__ = [
    "LEGEND",
    "dot",
    "drawio",
    "graphml",
    "lucidchart",
    "mermaid_flowchart",
    "mermaid_journey",
]

LEGEND = (
    "A box: visits, and the share of the visits up to a conversion that lead to it, as on the map.",
    "An arrow: how often journeys went that way, and its share of all departures from there, open journeys left out.",
    "To CONVERSION lead the ends of journeys that converted, there or before; to convert later is what a box tells.",
)
"""What the numbers of a drawing are, for its reader."""

_ENDS = {
    "CONVERSION": "converted journeys end",
    "DROP_OFF": "the others end",
    "OPEN": "not over yet",
}
_MERMAID_LEGEND = "fill:#fff,stroke:#999,color:#333,text-align:left"
_NOBODY_ANSWERED = 3
_CELLS_SHOWN = 5
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 190, 70, 100, 50
_LEGEND_WIDTH = 760


def mermaid_journey(content: Content) -> str:
    """Write Mermaid's user journey: stages, their touchpoints with a score of 1 to 5, and channels.

    The score is 1 + 4 x the mean satisfaction (0..1) of the touchpoint's answers, rounded; where nobody
    answered it is 3, and the touchpoint's name says so, for Mermaid knows no missing score.
    """
    lines = ["journey", f"    title {_plain(content.project)}, mean satisfaction from 1 to 5"]
    cells = content.rows["cells"]
    for stage in content.rows["stages"]:
        inside = [cell for cell in cells if cell["stage"] == stage["stage"]]
        lines.append(f"    section {_plain(stage['stage'])}")
        for cell in shown_of(sorted(inside, key=_by_volume), _CELLS_SHOWN):
            asked = bool(cell["csat_answers"])
            score = round(1 + 4 * cell["csat"]) if asked else _NOBODY_ANSWERED
            name = _plain(cell["touchpoint"]) + " (nobody answered)" * (not asked)
            lines.append(f"      {name}: {score}: {_plain(cell['channel']).replace(',', ' ')}")
    return "\n".join(lines) + "\n"


def mermaid_flowchart(content: Content) -> str:
    """Write Mermaid's flowchart: nodes with visits, moves with counts and probabilities, and the legend."""
    ids = _ids(content)
    legend = _quoted("<br/>".join((content.project, *LEGEND)))
    lines = ["flowchart LR", f'    legend["{legend}"]', f"    style legend {_MERMAID_LEGEND}"]
    for name, number in ids.items():
        opened, closed = ("([", "])") if _is_end(content, name) else ("[", "]")
        label = _quoted(_label(content, name, "<br/>"))
        lines.append(f'    n{number}{opened}"{label}"{closed}')
    for source, target, edge in _moves_of(content):
        label = _quoted(_move(edge))
        lines.append(f'    n{ids[source]} -->|"{label}"| n{ids[target]}')
    return "\n".join(lines) + "\n"


def dot(content: Content) -> str:
    """Write the graph in Graphviz's language; pens are as wide as moves are frequent."""
    most = _most(content)
    lines = [
        f"digraph {_dot(content.project)} {{",
        f"    rankdir=LR; labelloc=b; labeljust=l; label={_dot_lines((content.project, *LEGEND))};",
        '    fontname="Helvetica"; fontsize=11;',
        '    node [shape=box, style="rounded", fontname="Helvetica"];',
        '    edge [fontname="Helvetica", fontsize=10];',
    ]
    for name in _ids(content):
        shape = ", shape=ellipse" if _is_end(content, name) else ""
        lines.append(f"    {_dot(name)} [label={_dot(_label(content, name, chr(10)))}{shape}];")
    for source, target, edge in _moves_of(content):
        width = 0.5 + 4.5 * edge["count"] / most
        lines.append(
            f"    {_dot(source)} -> {_dot(target)} [label={_dot(_move(edge))}, penwidth={width:.2f}];"
        )
    return "\n".join([*lines, "}"]) + "\n"


def graphml(content: Content) -> str:
    """Write GraphML with every column of the tables (`models.graph`)."""
    from models.graph import to_graphml

    return to_graphml(content.graph)


def drawio(content: Content) -> str:
    """Write an uncompressed diagrams.net file: nodes in columns by distance from START, moves as arrows."""
    file = ElementTree.Element("mxfile", {"host": "footpath"})
    diagram = _inside(file, "diagram", id="footpath", name=content.project)
    model = _inside(diagram, "mxGraphModel", grid=1, page=0, pageScale=1)
    root = _inside(model, "root")
    _inside(root, "mxCell", id=0)
    _inside(root, "mxCell", id=1, parent=0)
    ids = _ids(content)
    places = _places(content)
    for name, (column, row) in places.items():
        arc = 50 if _is_end(content, name) else 12
        cell = _inside(
            root, "mxCell", id=f"n{ids[name]}", value=_label(content, name, "\n"), vertex=1, parent=1,
            style=f"rounded=1;arcSize={arc};whiteSpace=wrap;",
        )  # fmt: skip
        x, y = column * (_WIDTH + _GAP_X), row * (_HEIGHT + _GAP_Y)
        _place(cell, x, y, _WIDTH, _HEIGHT)
    legend = _inside(
        root, "mxCell", id="legend", value="\n".join(LEGEND), vertex=1, parent=1,
        style="align=left;verticalAlign=top;whiteSpace=wrap;strokeColor=none;fillColor=none;",
    )  # fmt: skip
    below = (1 + max(row for _, row in places.values())) * (_HEIGHT + _GAP_Y)
    _place(legend, 0, below, _LEGEND_WIDTH, _HEIGHT)
    most = _most(content)
    for number, (source, target, edge) in enumerate(_moves_of(content)):
        width = 1 + 5 * edge["count"] / most
        cell = _inside(
            root, "mxCell", id=f"e{number}", value=_move(edge), edge=1, parent=1,
            source=f"n{ids[source]}", target=f"n{ids[target]}",
            style=f"edgeStyle=orthogonalEdgeStyle;rounded=1;strokeWidth={width:.1f};",
        )  # fmt: skip
        _inside(cell, "mxGeometry", relative=1).set("as", "geometry")
    ElementTree.indent(file)
    return ElementTree.tostring(file, encoding="unicode", xml_declaration=True) + "\n"


def lucidchart(content: Content) -> str:
    """Write the CSV of Lucidchart's import of process diagrams; a row a page, a shape or a line."""
    header = (
        "Id", "Name", "Shape Library", "Page ID", "Contained By", "Line Source",
        "Line Destination", "Source Arrow", "Destination Arrow", "Text Area 1",
    )  # fmt: skip
    rows: list[tuple[Any, ...]] = [(1, "Page", "", "", "", "", "", "", "", content.project)]
    shapes = {name: number + 2 for name, number in _ids(content).items()}
    for name, number in shapes.items():
        block = "Terminator" if _is_end(content, name) else "Process"
        text = _label(content, name, "\n")
        rows.append((number, block, "Flowchart Shapes", 1, "", "", "", "", "", text))
    legend = "\n".join(LEGEND)
    rows.append((len(rows) + 1, "Process", "Flowchart Shapes", 1, "", "", "", "", "", legend))
    for source, target, edge in _moves_of(content):
        ends = shapes[source], shapes[target]
        rows.append((len(rows) + 1, "Line", "", 1, "", *ends, "None", "Arrow", _move(edge)))
    return csv_text(header, rows)


def _inside(outer: ElementTree.Element, tag: str, /, **attributes: Any) -> ElementTree.Element:
    told = {name: str(value) for name, value in attributes.items()}
    return ElementTree.SubElement(outer, tag, told)


def _place(cell: ElementTree.Element, x: int, y: int, width: int, height: int) -> None:
    _inside(cell, "mxGeometry", x=x, y=y, width=width, height=height).set("as", "geometry")


def _most(content: Content) -> int:
    return max(edge["count"] for _, _, edge in content.graph.edges(data=True))


def _ids(content: Content) -> dict[str, int]:
    """Nodes in order of the map's stages, then by visits, numbered from 0; START first, ends last."""
    place = {row["stage"]: row["position"] for row in content.rows["stages"]}
    nodes = content.graph.nodes

    def order(name: str) -> tuple[int, int, int, str]:
        kind = ("start", "node", "end").index(nodes[name]["kind"])
        return kind, place.get(name, 0), -nodes[name].get("visits", 0), name

    return {name: number for number, name in enumerate(sorted(nodes, key=order))}


def _places(content: Content) -> dict[str, tuple[int, int]]:
    """Column and row of each node: columns by number of moves from START, the ends in the last."""
    import networkx as nx

    away = nx.single_source_shortest_path_length(content.graph, "START")
    last = max(away.values())
    filled: dict[int, int] = {}
    places = {}
    for name in _ids(content):
        column = last if content.graph.nodes[name]["kind"] == "end" else away[name]
        places[name] = column, filled.get(column, 0)
        filled[column] = filled.get(column, 0) + 1
    return places


def _is_end(content: Content, name: str) -> bool:
    return content.graph.nodes[name]["kind"] != "node"


def _label(content: Content, name: str, newline: str) -> str:
    node = content.graph.nodes[name]
    told = [name]
    if name in _ENDS:
        told.append(_ENDS[name])
    if "visits" in node:
        told.append(f"{node['visits']:,} visits")
    if "conversion_p" in node:
        told.append(f"{node['conversion_p']:.1%} convert from here")
    return newline.join(told)


def _moves_of(content: Content) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Moves in the order of their nodes: programs that lay out the graph begin with the first."""
    ids = _ids(content)
    return sorted(content.graph.edges(data=True), key=lambda move: (ids[move[0]], ids[move[1]]))


def _move(edge: Mapping[str, Any]) -> str:
    probability = edge.get("probability")
    return f"{edge['count']:,}" + (f" ({probability:.1%})" if probability is not None else "")


def _by_volume(cell: Row) -> tuple[int, str]:
    return -cell["touchpoints"], cell["touchpoint"]


def _plain(text: str) -> str:
    """Without the signs that part Mermaid's lines."""
    return re.sub(r"[\s:;#%]+", " ", text).strip() or "-"


def _quoted(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("`", "#96;")


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _dot_lines(lines: Sequence[str]) -> str:
    r"""A text whose lines begin on the left; ``\l`` ends one."""
    return '"' + "".join(_dot(line)[1:-1] + "\\l" for line in lines) + '"'
