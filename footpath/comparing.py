"""Two groups compared: the table as text, and the picture.

The picture shows the most certain differences as points with their 95% intervals; those that pass
the control of the many rates are filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from footpath.report.wording import percent
from models.comparison import MEANS, compare
from sql.comparison import trials_of

__all__ = ["comparison", "draw", "lines"]

LEVEL = 0.05
"""Greatest false discovery rate."""
_SHOWN = 25

Row = dict[str, Any]


def comparison(db_path: Path, a: str, b: str, min_volume: int) -> tuple[pa.Table, dict[str, int]]:
    """Compare two groups of a published database; the journeys of each beside it.

    Raises
    ------
    InputError
        A group can't be read, is empty, or shares journeys with the other.
    """
    trials, journeys = trials_of(db_path, a, b)
    return compare(trials, min_volume=min_volume), journeys


def lines(table: pa.Table, journeys: dict[str, int], a: str, b: str) -> Iterator[str]:
    """The comparison as lines of text, most certain differences first."""
    rows = table.to_pylist()
    clear = sum(row["q_value"] <= LEVEL for row in rows)
    yield f"a  {a}: {journeys['a']:,} journeys"
    yield f"b  {b}: {journeys['b']:,} journeys"
    yield ""
    yield (
        f"{len(rows)} rates compared; {clear} differ beyond chance (false discovery rate {LEVEL:.0%})."
    )
    if not rows:
        return
    yield ""
    yield f"{'':<52} {'a':>9} {'b':>9}  {'a - b, 95% interval':<28} {'q':>7}"
    for row in rows[:_SHOWN]:
        mark = "*" if row["q_value"] <= LEVEL else " "
        low, high = (_difference(row, row[end]) for end in ("low", "high"))
        difference = f"{_difference(row, row['difference'])} ({low} to {high})"
        yield (
            f"{mark} {rate_name(row):<50} {_shown(row, row['a']):>9} {_shown(row, row['b']):>9}  "
            f"{difference:<28} {row['q_value']:>7.3f}"
        )


def draw(table: pa.Table, path: Path, a: str, b: str) -> None:
    """Write the picture as a page of its own."""
    rows = [r for r in table.to_pylist() if r["measure"] not in MEANS][:_SHOWN][::-1]
    figure = go.Figure()
    for clear, name in ((True, "beyond chance"), (False, "within chance")):
        some = [row for row in rows if (row["q_value"] <= LEVEL) is clear]
        figure.add_trace(_points(some, name, clear))
    figure.add_vline(x=0, line_width=1)
    figure.update_layout(
        title=f"{a} against {b}",
        xaxis={"title": f"difference in points: right is more for {a}", "ticksuffix": ""},
        yaxis={"categoryorder": "array", "categoryarray": [rate_name(row) for row in rows]},
        template="simple_white",
        height=160 + 26 * len(rows),
        margin={"l": 320},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.write_html(path, include_plotlyjs=True)


def _points(rows: Sequence[Row], name: str, clear: bool) -> go.Scatter:
    difference, low, high = (
        100 * np.array([row[key] for row in rows]) for key in ("difference", "low", "high")
    )
    return go.Scatter(
        x=difference,
        y=[rate_name(row) for row in rows],
        error_x={"array": high - difference, "arrayminus": difference - low, "thickness": 1},
        customdata=[[_shown(r, r["a"]), _shown(r, r["b"]), r["q_value"]] for r in rows],
        hovertemplate="%{y}<br>a %{customdata[0]}, b %{customdata[1]}<br>q %{customdata[2]:.3f}",
        mode="markers",
        marker={"symbol": "circle" if clear else "circle-open", "size": 9},
        name=name,
    )


def rate_name(row: Row) -> str:
    """What a row's rate is.

    >>> rate_name({"measure": "move", "node": "cart", "target": "pay"})
    'cart > pay'
    """
    node, target = row["node"], row["target"]
    return {
        "move": f"{node} > {target}",
        "convert": "conversion" if node == "START" else f"conversion from {node}",
        "drop_off": f"drop-off at {node}",
        "back": f"going back from {node}",
        "wait": f"time at {node} (geometric mean)",
        "satisfaction": f"satisfaction at {node}",
    }[row["measure"]]


def _shown(row: Row, value: float) -> str:
    if row["measure"] == "wait":
        return f"{np.exp(value):,.0f} s"
    if row["measure"] == "satisfaction":
        return f"{100 * value:.1f}"
    return percent(value, 1)


def _difference(row: Row, value: float) -> str:
    if row["measure"] == "wait":
        return f"x{np.exp(value):.2f}"
    return f"{100 * value:+.1f}"
