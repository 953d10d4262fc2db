"""Fill the page: template, style, script and chart library in one file that needs no network.

A content security policy in the page forbids every request, so what it shows is in it. The template
escapes every field; the chart's data travel as JSON that cannot end a script element.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from contracts.sql_text import literal
from footpath.report import wording
from footpath.report.content import Content, Row, gather

__all__ = ["build_report"]

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_HUES = 8
"""Colours of stages in the style sheet; more stages begin again."""


def build_report(db_path: Path, out: Path, title: str) -> Path:
    """Write the report of a published database as one HTML file.

    Parameters
    ----------
    db_path : Path
        A ``footpath.duckdb``.
    out : Path
        The file to write; its folder is made. A reader sees the old page or the new one.
    title : str
        Name of the project, shown at the head.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    html = _render(gather(db_path), title)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    unfinished.write_text(html, encoding="utf-8")
    os.replace(unfinished, out)
    return out


def _render(content: Content, title: str) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name) for name in wording.__all__ if name.islower()
    }
    environment.filters |= {"heat": _heat, "sparkline": _sparkline, "sql_text": literal}
    hues = {row["stage"]: i % _HUES + 1 for i, row in enumerate(content.stages)}
    return environment.get_template("report.html.j2").render(
        title=title,
        content=content,
        hues=hues,
        most=max(
            (e["share"] for row in content.stages for cell in row["cells"].values() for e in cell),
            default=1.0,
        ),
        flow=_flow_data(content, hues),
        style=_inline("report.css"),
        script=_inline("report.js"),
        plotly=Markup(get_plotlyjs()),
    )


def _inline(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))


def _flow_data(content: Content, hues: dict[str, int]) -> dict[str, Any]:
    """The Sankey diagram's data, worded and ready to draw."""
    levels: dict[str, Any] = {}
    for level, flow in content.flow.items():
        index = {node["node"]: i for i, node in enumerate(flow["nodes"])}
        levels[level] = {
            "nodes": [
                {
                    "label": wording.name(node["node"]),
                    "position": node["position"],
                    "hue": hues.get(node["stage"], 0),
                    "end": node["node"] if node["stage"] is None else "",
                }
                for node in flow["nodes"]
            ],
            "moves": [
                {
                    "from": index[move["source_node"]],
                    "to": index[move["target_node"]],
                    "count": move["count"],
                    "share": move["journey_share"],
                    "told": _told(move),
                }
                for move in flow["moves"]
                if move["source_node"] in index and move["target_node"] in index
            ],
        }
    return levels


def _told(move: Row) -> list[str]:
    lines = [
        f"{wording.count(move['count'])} moves in {wording.count(move['journeys'])} journeys "
        f"({wording.percent(move['journey_share'], 1)} of all)"
    ]
    if move["probability"] is not None:
        lines.append(
            f"{wording.percent(move['probability'], 1)} of {wording.count(move['denominator'])} "
            f"departures ({wording.interval(move['probability_low'], move['probability_high'], 1)})"
        )
    if move["dwell_p50_s"] is not None:
        lines.append(f"median {wording.duration(move['dwell_p50_s'])} before the move")
    return lines


def _heat(share: float | None) -> int:
    """Step of the drop-off colour, 0 to 5.

    >>> [_heat(x) for x in (None, 0.02, 0.1, 0.2, 0.3, 0.4, 0.9)]
    [0, 0, 1, 2, 3, 4, 5]
    """
    return 0 if share is None else sum(share >= step for step in (0.05, 0.15, 0.25, 0.35, 0.5))


def _sparkline(values: Sequence[float | Decimal], width: int = 120, height: int = 30) -> str:
    """Points of an SVG polyline; the first and last value at the edges, 0 at the foot.

    >>> _sparkline([0, 2, 1], 100, 10)
    '0.0,9.0 50.0,1.0 100.0,5.0'
    """
    top = max((float(v) for v in values), default=0.0) or 1.0
    step = width / max(1, len(values) - 1)
    return " ".join(
        f"{i * step:.1f},{height - 1 - (height - 2) * max(0.0, float(v)) / top:.1f}"
        for i, v in enumerate(values)
    )
