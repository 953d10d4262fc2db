"""The map as a picture: stages across; touchpoints by channel, experience, pain points and rates down.

One figure is laid out in inches and saved as SVG, PNG or PDF; equal databases give equal bytes. A bar is
a touchpoint's volume; a red number is the rank of the finding that names the place; the curve is the experience
of a stage with its 95% interval (``sql/export/stages.sql``), and has a gap where nobody answered.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

from footpath.export.content import Content, Row, shown_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["pdf", "png", "svg"]

_MARGIN, _LABELS, _COLUMN = 0.35, 1.25, 2.45
_TITLE, _HEAD, _LINE, _PAD = 0.75, 0.42, 0.21, 0.16
_CURVE, _RATES = 1.35, 0.8
_TOUCHPOINTS_SHOWN = 5
_FINDINGS_SHOWN = 2
_FELT_BY = {"satisfaction": "answers", "no call for help": "journeys", "stay on": "visits"}
_INK, _SOFT, _RULE, _BAND, _BAR, _CURVE_INK, _PAIN = (
    "#1d2733", "#5f6b78", "#d5dbe1", "#eef2f6", "#b9d3ea", "#1f6f8b", "#b3261e",
)  # fmt: skip
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with the library: the same picture everywhere
    "svg.fonttype": "none",
    "svg.hashsalt": "footpath",
    "pdf.fonttype": 42,
}


def svg(content: Content) -> bytes:
    """Draw the map as SVG; text stays text."""
    return _saved(content, "svg", metadata={"Date": None, "Title": content.project})


def png(content: Content) -> bytes:
    """Draw the map as PNG, 150 dots an inch."""
    return _saved(content, "png", dpi=150, metadata={"Title": content.project})


def pdf(content: Content) -> bytes:
    """Draw the map as a one-page PDF of its own size."""
    return _saved(content, "pdf", metadata={"CreationDate": None, "Title": content.project})


def _saved(content: Content, kind: str, **options: Any) -> bytes:
    from matplotlib import rc_context

    written = io.BytesIO()
    with rc_context(_SETTINGS):
        _draw(content).savefig(written, format=kind, facecolor="white", **options)
    return written.getvalue()


def _draw(content: Content) -> Figure:
    from matplotlib.figure import Figure

    stages = content.rows["stages"]
    channels = _channels(content.rows["cells"])
    pains = {stage["stage"]: _pains(content, stage["stage"]) for stage in stages}
    heights = {name: _PAD + _LINE * most for name, most in _lines(content, channels).items()}
    pain_height = _PAD + _LINE * max([1, *map(len, pains.values())])
    width = 2 * _MARGIN + _LABELS + _COLUMN * len(stages)
    height = (
        2 * _MARGIN + _TITLE + _HEAD + sum(heights.values()) + _CURVE + pain_height + _RATES + 0.3
    )
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()

    _text(axes, _MARGIN, _MARGIN + 0.1, content.project, size=16, weight="bold")
    _text(axes, _MARGIN, _MARGIN + 0.42, _subtitle(content), color=_SOFT, size=9)
    top = _MARGIN + _TITLE
    for number, stage in enumerate(stages):
        left = _left(number)
        _box(axes, left + 0.04, top, _COLUMN - 0.08, _HEAD - 0.06, _INK)
        _text(axes, left + _COLUMN / 2, top + 0.18, _short(stage["stage"], 26), color="white",
              size=11, weight="bold", ha="center")  # fmt: skip
    top += _HEAD
    most = max((cell["touchpoints"] for cell in content.rows["cells"]), default=1)
    for shaded, channel in enumerate(channels):
        _row(axes, top, heights[channel], width, channel, shaded % 2 == 0)
        for number, stage in enumerate(stages):
            _cell(
                axes, _left(number), top + _PAD / 2, _cells(content, stage["stage"], channel), most
            )
        top += heights[channel]
    signal = stages[0]["signal"] if stages else "satisfaction"
    _row(axes, top, _CURVE, width, f"Experience\n{signal}", False)
    _curve(axes, top, stages, signal)
    top += _CURVE
    _row(axes, top, pain_height, width, "Pain points", True)
    for number, stage in enumerate(stages):
        for line, (text, is_first) in enumerate(pains[stage["stage"]]):
            _text(axes, _left(number) + 0.1, top + _PAD / 2 + _LINE * (line + 0.5), text,
                  color=_PAIN if is_first else _INK, size=7.5)  # fmt: skip
    top += pain_height
    _row(axes, top, _RATES, width, "Rates", False)
    for number, stage in enumerate(stages):
        for line, text in enumerate(_rates(stage)):
            _text(axes, _left(number) + 0.1, top + 0.16 + 0.23 * line, text, size=8)
    note = (
        "Bars: how often, all channels on one scale. Red numbers: rank of the finding. Open journeys are in no rate. "
        "Convert from here: of the visits up to a conversion."
    )
    _text(axes, _MARGIN, top + _RATES + 0.2, note, color=_SOFT, size=7.5)
    return figure


def _subtitle(content: Content) -> str:
    wanted = ("journeys_started", "customers", "conversion_rate")
    found = {row["measure"]: row for row in content.rows["measures"] if row["measure"] in wanted}
    parts = [f"up to {content.watermark:%Y-%m-%d %H:%M} UTC"]
    for name, label in (("journeys_started", "journeys"), ("customers", "customers")):
        if name in found:
            parts.insert(-1, f"{found[name]['value']:,.0f} {label}")
    if rate := found.get("conversion_rate"):
        parts.append(
            f"{rate['value']:.1%} of {rate['denominator']:,} ended journeys converted "
            f"({rate['low']:.1%} to {rate['high']:.1%})"
        )
    return "  ·  ".join(parts)


def _channels(cells: Sequence[Row]) -> list[str]:
    """Channels, the busiest first, as the query gives them within the first stage they are in."""
    volume: dict[str, int] = {}
    for cell in cells:
        volume[cell["channel"]] = volume.get(cell["channel"], 0) + cell["touchpoints"]
    return sorted(volume, key=lambda channel: (-volume[channel], channel))


def _cells(content: Content, stage: str, channel: str) -> list[Row]:
    return [c for c in content.rows["cells"] if (c["stage"], c["channel"]) == (stage, channel)]


def _lines(content: Content, channels: Sequence[str]) -> dict[str, int]:
    """Lines that the fullest cell of each channel needs."""
    most = dict.fromkeys(channels, 1)
    ordered = sorted(content.rows["cells"], key=lambda c: (c["channel"], c["stage"]))
    for (channel, _), found in groupby(ordered, key=lambda c: (c["channel"], c["stage"])):
        shown, rest = _split(list(found))
        most[channel] = max(most[channel], len(shown) + bool(rest))
    return most


def _split(cells: list[Row]) -> tuple[list[Row], list[Row]]:
    """Cells that are drawn, and those that are summed up in a line; one alone is drawn instead."""
    shown = shown_of(cells, _TOUCHPOINTS_SHOWN)
    rest = [cell for cell in cells if cell not in shown]
    return (shown, rest) if len(rest) > 1 else (cells, [])


def _cell(axes: Axes, left: float, top: float, cells: list[Row], most: int) -> None:
    shown, rest = _split(cells)
    for line, cell in enumerate(shown):
        middle = top + _LINE * (line + 0.5)
        full = _COLUMN - 0.2
        _box(
            axes,
            left + 0.1,
            middle - 0.085,
            max(0.02, full * cell["touchpoints"] / most),
            0.17,
            _BAR,
        )
        _text(axes, left + 0.14, middle, _short(cell["touchpoint"], 21), size=8)
        _text(
            axes,
            left + _COLUMN - 0.34,
            middle,
            f"{cell['touchpoints']:,}",
            color=_SOFT,
            size=8,
            ha="right",
        )
        if cell["pain_rank"] is not None:
            _text(axes, left + _COLUMN - 0.12, middle, str(cell["pain_rank"]), color=_PAIN, size=8,
                  weight="bold", ha="right")  # fmt: skip
    if rest:
        count = sum(cell["touchpoints"] for cell in rest)
        _text(axes, left + 0.14, top + _LINE * (len(shown) + 0.5), f"{len(rest)} more: {count:,}",
              color=_SOFT, size=8)  # fmt: skip


def _curve(axes: Axes, top: float, stages: Sequence[Row], signal: str) -> None:
    """The experience, 0..1, by stage; a line joins neighbours of which it is known."""
    bottom, span = top + _CURVE - 0.38, _CURVE - 0.62

    def height(score: float) -> float:
        return bottom - span * score

    for level in (0.0, 0.5, 1.0):
        axes.plot([_left(0), _left(len(stages))], [height(level)] * 2, color=_RULE, lw=0.6)
        _text(axes, _left(0) - 0.06, height(level), f"{level:g}", color=_SOFT, size=7, ha="right")
    before: tuple[float, float] | None = None
    for number, stage in enumerate(stages):
        middle = _left(number) + _COLUMN / 2
        if stage["felt"] is None:
            _text(axes, middle, bottom + 0.2, "nobody answered", color=_SOFT, size=7.5, ha="center")
            before = None
            continue
        at = middle, height(stage["felt"])
        if before:
            axes.plot(*zip(before, at, strict=True), color=_CURVE_INK, lw=1.8)
        if stage["felt_low"] is not None:
            ends = height(stage["felt_low"]), height(stage["felt_high"])
            axes.plot([middle] * 2, ends, color=_CURVE_INK, lw=5, alpha=0.3, solid_capstyle="butt")
        axes.plot(*at, "o", color=_CURVE_INK, ms=6)
        _text(axes, middle + 0.1, at[1] - 0.15, f"{stage['felt']:.2f}", size=8.5, weight="bold")
        _text(axes, middle, bottom + 0.2, f"{stage['felt_by']:,} {_FELT_BY[signal]}", color=_SOFT, size=7.5,
              ha="center")  # fmt: skip
        before = at


def _pains(content: Content, stage: str) -> list[tuple[str, bool]]:
    """Lines of the first findings of a stage, each with whether a finding begins with it."""
    found = [
        finding
        for finding in content.rows["findings"]
        if finding["stage"] == stage and finding["kind"] != "opportunity"
    ]
    lines: list[tuple[str, bool]] = []
    for finding in found[:_FINDINGS_SHOWN]:
        text = shorten(f"{finding['rank']}. {finding['sentence']}", 210, placeholder=" ...")
        lines += [(line, n == 0) for n, line in enumerate(wrap(text, 40))]
    if more := len(found) - _FINDINGS_SHOWN:
        lines += [(f"and {more} more", False)] * (more > 0)
    return lines


def _rates(stage: Row) -> list[str]:
    told = [f"{stage['journeys']:,} journeys, {stage['customers']:,} customers"]
    if stage["drop_off_p"] is not None:
        told.append(
            f"left for good: {stage['drop_off_p']:.1%} of {stage['drop_off_denominator']:,} visits"
        )
    if stage["conversion_p"] is not None:
        told.append(f"convert from here: {stage['conversion_p']:.1%} of visits")
    return told


def _left(number: int) -> float:
    return _MARGIN + _LABELS + _COLUMN * number


def _row(axes: Axes, top: float, height: float, width: float, label: str, shaded: bool) -> None:
    if shaded:
        _box(axes, _MARGIN, top, width - 2 * _MARGIN, height, _BAND)
    axes.plot([_MARGIN, width - _MARGIN], [top, top], color=_RULE, lw=0.6)
    first, *rest = label.split("\n")
    _text(axes, _MARGIN + 0.06, top + 0.2, _short(first, 15), size=9, weight="bold")
    for line in rest:
        _text(axes, _MARGIN + 0.06, top + 0.42, line, color=_SOFT, size=7.5)


def _box(axes: Axes, left: float, top: float, width: float, height: float, color: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((left, top), width, height, color=color, lw=0))


def _text(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, **{"color": _INK, "va": "center", "parse_math": False, **style})


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
