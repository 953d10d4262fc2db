"""Standing pains: steps that are worse than others of their kind, or for some people, all the time.

What has no dates needs another baseline than its own past. Each kind has its own, and each test asks
for more than a margin that is worth the words (`models.pain_points.evidence`), so that steps may
differ, as they do, without a finding. Days of incidents are left out, or an incident would be told
twice.

==================  ===============================================================================
low satisfaction    mean answer at a touchpoint against the median of the other touchpoints, three
                    at least; the margin is ten points, or three median absolute deviations
contact, error      share that goes from a touchpoint directly to a contact (error) against the
                    median of the touchpoints of its stage (against none): five points, or three
                    median absolute deviations
loop                A > B > A: share that goes back to A, of those who came from it, against the
                    share that goes to A, of those who came from elsewhere; A and B are funnel steps
wait                time to go on in one sitting, at the worst hours of the day against the others
                    (logarithms; a circular scan of windows of 1 to 8 hours, Bonferroni over them)
of a segment        going back, asking for help, waiting and satisfaction of a segment value against
                    everybody else at the same funnel step. Elsewhere groups differ by what they came
                    for: who entered by e-mail has less to go back to. Nor are those held against
                    everybody for asking for help who mostly came to ask for it
==================  ===============================================================================

Benjamini-Hochberg runs over all tests together.

**What it costs in value** is what conversions are missing: of those who are hit, more end without
one than of the others at the same step (who asks for help or goes back against who doesn't, the bad
hours against the other hours, a segment against everybody else). For few answers to a survey that
can't be told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.sql_text import literal
from models.absorbing_chain import START
from models.counts import NONE
from models.intervals import benjamini_hochberg
from models.pain_points.daily import Key, StepCounts
from models.pain_points.evidence import (
    MEASURES,
    Group,
    Measure,
    amount,
    list_journeys,
    of_slice,
    show,
)
from models.pain_points.finding import Contrast, Finding
from models.pain_points.settings import Outcomes, Settings

__all__ = ["find_standing"]

FALSE_DISCOVERY = 0.05
SPREADS = 3
"""Median absolute deviations among comparable steps that are nothing special."""
_PEERS = {"low_satisfaction": 3, "contact": 2}
_FEWEST_ANSWERS = 30
_LONGEST_PEAK = 8

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Candidate:
    finding: Finding
    p_value: float


def find_standing(
    counts: StepCounts, quiet: Flags, settings: Settings, funnel: Collection[str]
) -> list[Finding]:
    """Find what hurts without dates.

    Parameters
    ----------
    counts : StepCounts
    quiet : ndarray of bool, shape (n_days + 1,)
        Days that no incident touches.
    settings : Settings
    funnel : collection of str
        Funnel steps of the slice of all.
    """
    search = _Search(counts, quiet, settings)
    candidates = [
        *search.low_satisfaction(),
        *search.contacts_and_errors(),
        *search.loops(funnel),
        *search.peak_hours(),
        *search.of_segments(funnel),
    ]
    q_values = benjamini_hochberg([c.p_value for c in candidates])
    return [
        replace(c.finding, p_value=c.p_value, q_value=float(q))
        for c, q in zip(candidates, q_values, strict=True)
        if q <= FALSE_DISCOVERY
    ]


class _Search:
    def __init__(self, counts: StepCounts, quiet: Flags, settings: Settings) -> None:
        self._counts, self._quiet, self._settings = counts, quiet, settings
        self._calm = settings.without(counts.first, quiet)

    def _sums(self, measure: str) -> dict[Key, float]:
        daily = self._counts.daily(measure)
        values = (daily.values * self._quiet).sum(axis=1)
        return dict(zip(daily.keys, values.tolist(), strict=True))

    def _whole(self, measure: str) -> dict[tuple[str, str], float]:
        """By node and target, of everybody and all days."""
        whole = self._counts.binned("whole", measure, 1)
        return {
            (node, target): float(n)
            for (_, _, node, target), n in zip(whole.keys, whole.values[:, 0], strict=True)
        }

    def _value_of_leaving(self, node: str, targets: Collection[str], excess: float) -> float | None:
        """Value missing with so many journeys that left the node to one of the targets too many."""

        def at_node(measure: str, targets: Collection[str]) -> float:
            of = self._whole(measure)
            return sum(of.get((node, target), 0.0) for target in targets)

        hit = Outcomes(at_node("move_decided", targets), at_node("move_unconverted", targets))
        everybody = Outcomes(at_node("decided", [""]), at_node("unconverted", [""]))
        share = excess / max(at_node("move", targets), 1.0)
        return self._settings.value_of(hit, everybody.minus(hit), share)

    def low_satisfaction(self) -> Iterator[_Candidate]:
        """Touchpoints at which people are less content than at others."""
        measure = MEASURES["satisfaction"]
        n, x, q = (self._sums(m) for m in (measure.trials, measure.total, measure.squares))
        nodes = {k[2]: k for k in n if k[0] == "all" and n[k] >= _FEWEST_ANSWERS}
        means = {node: x[k] / n[k] for node, k in nodes.items()}
        for node, key in nodes.items():
            others = np.array([means[o] for o in means if o != node])
            if len(others) < _PEERS["low_satisfaction"]:
                continue
            middle, margin = _middle(others, measure.margin)
            contrast = Contrast("score", n[key], x[key], q.get(key, 0.0), 0, middle, sign=-1)
            group = Group([], self._calm)
            says = (
                f"{n[key]:,.0f} answers at '{node}' give a satisfaction of "
                f"{amount(contrast, contrast.mean)} of 100 (95% interval "
                f"{100 * contrast.interval[0]:.0f} to {100 * contrast.interval[1]:.0f}); the median "
                f"of the {len(others)} other touchpoints with answers is {100 * middle:.0f}."
            )
            yield self._candidate(measure, node, "", ("all", "all"), contrast, group, says, margin)

    def contacts_and_errors(self) -> Iterator[_Candidate]:
        """Touchpoints after which people ask for help, or meet what should not happen."""
        reached = self._whole("reached")
        move = self._whole("move")
        settings = self._settings
        for kind, bad in (("contact", settings.contacts), ("error", settings.errors)):
            hit: dict[str, float] = defaultdict(float)
            for (node, target), count in move.items():
                if target in bad:
                    hit[node] += count
            nodes = [
                node
                for (node, _), n in reached.items()
                if node != START
                and n >= settings.min_volume
                and node not in settings.contacts | settings.errors
            ]
            for node in nodes:
                stage = settings.stage_of.get(node)
                peers = [
                    hit[o] / reached[o, ""]
                    for o in nodes
                    if o != node and settings.stage_of.get(o) == stage
                ]
                if kind == "error":
                    middle, margin = 0.0, 0.05
                elif stage is None or len(peers) < _PEERS["contact"]:
                    continue
                else:
                    middle, margin = _middle(np.array(peers), 0.05)
                n, x = reached[node, ""], hit[node]
                contrast = Contrast("share", n, x, x, 0, middle)
                names = ", ".join(map(literal, sorted(bad)))
                measure = Measure(
                    f"to_{kind}", kind, "share", "true",
                    f"coalesce(visit.goes_to IN ({names}), false)", 0.05, "", "", "",
                )  # fmt: skip
                low, high = contrast.interval
                what = "to ask for help" if kind == "contact" else "to an error"
                than = (
                    f"; at the other touchpoints of stage '{stage}' {middle:.1%} at the median"
                    if kind == "contact"
                    else ", where none should"
                )
                says = (
                    f"{contrast.mean:.1%} of {n:,.0f} journeys went from '{node}' directly {what} "
                    f"(95% interval {low:.1%} to {high:.1%}){than}."
                )
                value = self._value_of_leaving(node, bad, contrast.excess * n)
                yield self._candidate(
                    measure, node, "", ("all", "all"), contrast, Group([]), says, margin, value
                )

    def loops(self, funnel: Collection[str]) -> Iterator[_Candidate]:
        """A > B > A between funnel steps."""
        came, bounced, move, reached = (
            self._whole(m) for m in ("from", "bounce", "move", "reached")
        )
        for (node, target), n in came.items():
            if node not in funnel or target not in funnel or n < self._settings.min_volume:
                continue
            x = bounced.get((node, target), 0.0)
            others = reached[node, ""] - n
            to_target = move.get((node, target), 0.0) - x
            if others < self._settings.min_volume:
                continue
            contrast = Contrast("share", n, x, x, others, to_target, to_target)
            measure = Measure(
                "loop", "loop", "share", "true",
                "coalesce(visit.goes_to = {target}, false)", 0.05, "", "", "",
            )  # fmt: skip
            group = Group([f"visit.came_from = {literal(target)}"])
            low, high = contrast.interval
            says = (
                f"'{target}' > '{node}' > '{target}': {contrast.mean:.1%} of {n:,.0f} journeys that "
                f"came to '{node}' from '{target}' went straight back (95% interval {low:.1%} to "
                f"{high:.1%}); of those who came from elsewhere {contrast.base:.1%} go there."
            )
            value = self._value_of_leaving(node, [target], contrast.excess * n)
            yield self._candidate(
                measure, node, target, ("all", "all"), contrast, group, says, measure.margin, value
            )

    def peak_hours(self) -> Iterator[_Candidate]:
        """Hours of the day at which people wait longer."""
        measure = MEASURES["sitting"]
        n, x, q = (
            self._counts.binned("hour", m, 24)
            for m in (measure.trials, measure.total, measure.squares)
        )
        ended = [self._counts.binned("hour", m, 24) for m in ("decided", "unconverted")]
        for key in n.keys:
            node = key[2]
            values = [d.of([key])[0] for d in (n, x, q)]
            trials = values[0]
            if trials.sum() < self._settings.min_volume:
                continue
            best, hours = None, (0, 0)
            for length in range(1, _LONGEST_PEAK + 1):
                for first in range(24):
                    inside = np.isin(np.arange(24), (first + np.arange(length)) % 24)
                    if min(trials[inside].sum(), trials[~inside].sum()) < (
                        self._settings.least_in_period
                    ):
                        continue
                    n1, x1, q1 = (float(a[inside].sum()) for a in values)
                    n0, x0, q0 = (float(a[~inside].sum()) for a in values)
                    contrast = Contrast("seconds", n1, x1, q1, n0, x0, q0)
                    if best is None or _root(contrast) > _root(best):
                        best, hours = contrast, (first, length)
            if best is None:
                continue
            first, length = hours
            worst = [(first + i) % 24 for i in range(length)]
            listed = ", ".join(map(str, worst))
            hit, all_ = (
                Outcomes(*(float(d.of([key])[0, on].sum()) for d in ended))
                for on in (worst, range(24))
            )
            group = Group([f"hour(visit.arrived_at) IN ({listed})"])
            says = (
                f"At '{node}' the {best.trials:,.0f} journeys that arrive between {first:02d}:00 and "
                f"{(first + length) % 24:02d}:00 UTC and go on in one sitting take "
                f"{amount(best, best.mean)} (geometric mean); at other hours "
                f"{amount(best, best.base)}."
            )
            candidate = self._candidate(
                measure, node, "", ("hour", f"{first:02d}-{(first + length) % 24:02d}"), best,
                group, says, measure.margin, self._settings.value_of(hit, all_.minus(hit)),
            )  # fmt: skip
            yield replace(candidate, p_value=min(candidate.p_value * 24 * _LONGEST_PEAK, 1.0))

    def of_segments(self, funnel: Collection[str]) -> Iterator[_Candidate]:
        """What is worse for a segment value than for everybody else at the same funnel step."""
        decided, missed = self._sums("decided"), self._sums("unconverted")
        seeking_help = self._seeking_help()
        for name in ("back", "back_to", "contact", "wait", "satisfaction"):
            measure = MEASURES[name]
            total, trials = self._sums(measure.total), self._sums(measure.trials)
            squares = self._sums(measure.squares) if measure.squares else total
            if name == "back":
                total = _anywhere(total)
                squares = total
            for key, x in total.items():
                segment, value, node, target = key
                everybody = ("all", "all", node, target)
                if (
                    segment == "all"
                    or value == NONE
                    or node not in funnel
                    or everybody not in total
                    or (name == "contact" and (segment, value) in seeking_help)
                ):
                    continue
                n, of_all = trials.get((*key[:3], ""), 0.0), trials[*everybody[:3], ""]
                least = self._settings.min_volume if name != "satisfaction" else _FEWEST_ANSWERS
                if min(n, of_all - n) < least:
                    continue
                contrast = Contrast(
                    measure.unit, n, x, squares.get(key, 0.0),
                    of_all - n, total[everybody] - x,
                    squares.get(everybody, 0.0) - squares.get(key, 0.0), measure.sign,
                )  # fmt: skip
                hit, all_ = (
                    Outcomes(decided.get((*k[:3], ""), 0.0), missed.get((*k[:3], ""), 0.0))
                    for k in (key, everybody)
                )
                worth = self._settings.value_of(hit, all_.minus(hit))
                yield self._of_segment(measure, key, contrast, worth)

    def _seeking_help(self) -> set[tuple[str, str]]:
        """Slices whose journeys mostly ask for help, twice as often as all: it is what they are made of."""
        begun, asking = (
            {key[:2]: n for key, n in self._sums(measure).items() if key[2] == START}
            for measure in (MEASURES["contact"].trials, MEASURES["contact"].total)
        )
        share = {part: asking.get(part, 0.0) / n for part, n in begun.items() if n}
        usual = share.get(("all", "all"), 0.0)
        return {part for part, mine in share.items() if mine >= max(0.5, 2 * usual)}

    def _of_segment(
        self, measure: Measure, key: Key, contrast: Contrast, worth: float | None
    ) -> _Candidate:
        segment, value, node, target = key
        group = Group(of_slice(segment, value), self._calm)
        low, high = contrast.interval
        says = measure.says.format(
            target=f"'{target}'",
            days=self._settings.window_words,
            mean=amount(contrast, contrast.mean),
        )
        if contrast.unit == "share":
            says = f"{contrast.mean:.1%} {says} (95% interval {low:.1%} to {high:.1%})"
        sentence = (
            f"For {segment} '{value}': of {contrast.trials:,.0f} journeys at '{node}' {says}; "
            f"for everybody else {amount(contrast, contrast.base)}."
        )
        return self._candidate(
            measure,
            node,
            target,
            (segment, value),
            contrast,
            group,
            sentence,
            measure.margin,
            worth,
        )

    def _candidate(
        self,
        measure: Measure,
        node: str,
        target: str,
        whose: tuple[str, str],
        contrast: Contrast,
        group: Group,
        says: str,
        margin: float,
        value: float | None = None,
    ) -> _Candidate:
        settings = self._settings
        sql = settings.sql
        typical = contrast.shown(contrast.base)
        finding = Finding(
            kind=measure.kind, node=node, target=target, segment=whose[0], segment_value=whose[1],
            contrast=contrast, p_value=1.0, q_value=1.0, sentence=says,
            query=show(measure, node, target, group, sql),
            journeys_query=list_journeys(measure, node, target, group, sql, typical),
            cost_value=value,
        )  # fmt: skip
        return _Candidate(finding, contrast.p_value(margin))


def _anywhere(total: dict[Key, float]) -> dict[Key, float]:
    """Sums over all targets."""
    found: dict[Key, float] = defaultdict(float)
    for key, x in total.items():
        found[*key[:3], ""] += x
    return dict(found)


def _middle(others: NDArray[np.float64], margin: float) -> tuple[float, float]:
    """Median of comparable rates, and what may be more than it."""
    middle = float(np.median(others))
    return middle, max(margin, SPREADS * float(np.median(np.abs(others - middle))))


def _root(contrast: Contrast) -> float:
    return contrast.excess / contrast.error
