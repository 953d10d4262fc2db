"""What can be measured at a step, in SQL and in words.

Each `Measure` is a rate or a mean over the first visits of journeys to a touchpoint (the published
view ``first_visits``). `Group` says whose visits and when. `show` writes the query that an analyst
runs on ``footpath.duckdb``: a row for the visits the finding is about and one for those it is held
against, with the number that the finding tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from contracts.sql_text import literal
from models.pain_points.finding import Contrast, Unit

__all__ = ["MEASURES", "Group", "Measure", "amount", "list_journeys", "show"]


@dataclass(frozen=True)
class Measure:
    """A rate or mean at a step."""

    name: str
    kind: str
    """Kind of the finding that it makes."""
    unit: Unit
    trial: str
    """SQL: which visits count."""
    value: str
    """SQL: their value; ``{target}`` and ``{contacts}`` are quoted texts, ``{window}`` an interval."""
    margin: float
    """Excess that is worth a finding."""
    says: str
    """Words for the rate: "... of 120 journeys at 'pay' <says>"."""
    total: str
    """Measure of `models.step_counts` that holds the sum of values."""
    trials: str
    squares: str = ""
    sign: int = 1


_SOON = "other.arrived_at <= visit.arrived_at + {window}"
_HELP = (
    "EXISTS (FROM touchpoints AS later WHERE later.journey_id = visit.journey_id\n"
    "      AND later.step > visit.step AND later.event_time <= visit.arrived_at + {window}\n"
    "      AND later.touchpoint IN ({contacts}))"
)

MEASURES = {
    measure.name: measure
    for measure in (
        Measure(
            "back", "return", "share", "true", "visit.goes_back", 0.05,
            "went back to where they had been", "back", "reached",
        ),
        Measure(
            "back_to", "return", "share", "true",
            "visit.goes_back AND visit.goes_to IS NOT DISTINCT FROM {target}", 0.05,
            "went back to {target}", "back", "reached",
        ),
        Measure(
            "follow", "detour", "share", "coalesce(other.position > visit.position, true)",
            f"coalesce(other.position > visit.position AND {_SOON}, false)", 0.05,
            "came to {target} within {days}", "follow", "reached",
        ),
        Measure(
            "contact", "contact", "share", "true", _HELP, 0.05,
            "asked for help within {days}", "contact", "reached",
        ),
        Measure(
            "lost", "excess_drop_off", "share", "visit.decided", "visit.lost", 0.05,
            "ended there without conversion", "lost", "decided",
        ),
        Measure(
            "unconverted", "lost_conversion", "share", "visit.decided", "visit.unconverted", 0.05,
            "never converted", "unconverted", "decided",
        ),
        Measure(
            "wait", "long_wait", "seconds", "visit.wait_s > 0", "visit.wait_s", 0.405,
            "went on after {mean} (geometric mean)", "wait_sum", "waits", "wait_squares",
        ),
        Measure(
            "sitting", "long_wait", "seconds", "visit.wait_s > 0 AND visit.wait_s <= {pause}",
            "visit.wait_s", 0.223,
            "went on after {mean} (geometric mean of those who did so in one sitting)",
            "sitting_sum", "sittings", "sitting_squares",
        ),
        Measure(
            "satisfaction", "low_satisfaction", "score", "visit.csat IS NOT NULL", "visit.csat",
            0.1, "answered with a satisfaction of {mean} of 100", "answer_sum", "answers",
            "answer_squares", -1,
        ),
    )
}  # fmt: skip
"""By name. Margins: five points of a share, a wait half as long again (a fifth longer at some hours
of the day), ten points of satisfaction."""


@dataclass(frozen=True)
class Group:
    """Whose visits, and when: SQL conditions over ``visit`` and ``journeys``."""

    here: Sequence[str]
    """What tells the visits of the finding from those they are held against."""
    where: Sequence[str] = field(default=())
    """What holds for both."""


def amount(contrast: Contrast, value: float) -> str:
    """A mean in words.

    >>> amount(Contrast("seconds", 2, 9.0, 41.0, 0, 4.0), 9.0 / 2)
    '1.5 min'
    """
    shown = contrast.shown(value)
    if contrast.unit == "share":
        return f"{shown:.1%}"
    if contrast.unit == "score":
        return f"{100 * shown:.0f}"
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if shown >= size:
            return f"{shown / size:.1f} {unit}"
    return f"{shown:.0f} s"


def between(begins: date, ends: date) -> str:
    """SQL: visits that arrived on these days, the last included."""
    after = ends + timedelta(days=1)
    return f"visit.arrived_at >= DATE '{begins}' AND visit.arrived_at < DATE '{after}'"


def of_slice(segment: str, value: str) -> list[str]:
    """SQL: visits of a slice's journeys."""
    if segment == "all":
        return []
    column = '"' + segment.replace('"', '""') + '"'
    return [f"coalesce(journeys.{column}, '(none)') = {literal(value)}"]


def _from(measure: Measure, node: str, target: str, where: Sequence[str]) -> str:
    other = (
        "LEFT JOIN first_visits AS other\n"
        f"    ON other.journey_id = visit.journey_id AND other.touchpoint = {literal(target)}\n"
        if measure.name == "follow"
        else ""
    )
    visits = "first_visits"
    if measure.name == "satisfaction":
        visits = "(SELECT *, event_time AS arrived_at FROM touchpoints)"
    conditions = "\n    AND ".join([f"visit.touchpoint = {literal(node)}", *where])
    return (
        f"FROM {visits} AS visit\nJOIN journeys ON journeys.journey_id = visit.journey_id\n"
        f"{other}WHERE {conditions}"
    )


def _filled(sql: str, target: str, settings: dict[str, str]) -> str:
    return sql.format(target=literal(target), **settings)


def show(measure: Measure, node: str, target: str, group: Group, settings: dict[str, str]) -> str:
    """The query whose first row is the finding's number and second what it is held against."""
    value = _filled(measure.value, target, settings)
    mean = {
        "share": f"avg(({value})::INTEGER)",
        "seconds": f"exp(avg(ln({value})))",
        "score": f"avg({value})",
    }[measure.unit]
    trial = _filled(measure.trial, target, settings)
    here = " AND ".join(group.here) or "true"
    return (
        f"SELECT {here} AS here,\n    count(*) AS journeys,\n    {mean} AS measured\n"
        f"{_from(measure, node, target, [trial, *group.where])}\n"
        "GROUP BY here\nORDER BY here DESC"
    )


def list_journeys(
    measure: Measure, node: str, target: str, group: Group, settings: dict[str, str], typical: float
) -> str:
    """The query that lists journeys that were hit: in the group, with the bad outcome, or beyond
    the `typical` value of the baseline.
    """
    value = _filled(measure.value, target, settings)
    if measure.unit != "share":
        value = f"{value} {'>' if measure.sign > 0 else '<'} {typical!r}"
    trial = _filled(measure.trial, target, settings)
    where = [trial, *group.where, *group.here, f"({value})"]
    return (
        f"SELECT DISTINCT visit.journey_id\n{_from(measure, node, target, where)}\n"
        "ORDER BY visit.journey_id"
    )
