"""Incidents: steps that were worse for some days, found with their first and last day.

Every rate and mean at every step, for everybody and for every segment value, is held against itself
at other times (`models.change_points`). Benjamini-Hochberg runs over all of them; what is left is
real, but it is not many findings: when payments fail, payment errors rise, people go back, ask for
help, don't convert, on every device, and all of it is one incident. So incidents are taken one by
one:

1. The firmest trace is taken, with all traces whose days overlap its own by half: they are the
   incident.
2. Of these, the one that is worst where it hurts (the greatest low end of the excess) among those
   nearly as firm tells the incident; the firmest gives its days. The others are listed under it.
3. **Whom it hits**: within these days, does a segment value have more excess over its own usual rate
   than everybody else, twice as much at least, and beyond chance (Bonferroni over all values)?
   Then it is theirs.
4. These days (and three to each side, as near as days are known) are left out, and all is searched
   again until nothing is found.

**The first days of the data are not like others**: what seems to begin on them may have begun before, out of sight.
What may have been there on the very first day, and was over before a journey gap had passed, is left out and not told.

Two incidents at once are therefore told as one; what belongs to the smaller stands under the larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from models.absorbing_chain import START
from models.change_points import Scan, Series, ends_within, scan, sharpen
from models.intervals import benjamini_hochberg
from models.pain_points.daily import Key, StepCounts, day_of
from models.pain_points.evidence import (
    MEASURES,
    Group,
    Measure,
    amount,
    between,
    list_journeys,
    of_slice,
    show,
)
from models.pain_points.finding import Contrast, Finding
from models.pain_points.settings import Outcomes, Settings

__all__ = ["find_incidents"]

FALSE_DISCOVERY = 0.01
"""Greatest false discovery rate. Other searches allow 5%, but a margin stands between their null hypothesis and a
quiet world; here, every quiet world is one in which the null hypothesis holds to the letter."""
_FEWEST = 10
"""Least number of successes behind a series of shares."""
_NEAR = 0.7
"""A trace this firm, compared to the firmest, may tell the incident."""
_PAD = 3
_MOST = 20
_LISTED = 5

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Traces:
    """Series of one measure: what a step's rate was, day by day."""

    measure: Measure
    keys: list[Key]
    series: Series


def find_incidents(counts: StepCounts, settings: Settings) -> tuple[list[Finding], Flags]:
    """Find incidents.

    Returns
    -------
    findings : list of Finding
    quiet : ndarray of bool, shape (n_days + 1,)
        Columns of `StepCounts.daily` that no incident touches.
    """
    found: list[Finding] = []
    quiet = np.ones(counts.days + 1, dtype=bool)
    horizons = _horizons(counts, settings)
    traces = list(_traces(counts, settings, horizons))
    least = settings.least_in_period
    while len(found) < _MOST and 2 * quiet.sum() > len(quiet):
        scans = [_scan(t, quiet[1:], least) for t in traces]
        q_values = benjamini_hochberg(np.concatenate([s.p_value for s in scans] or [np.ones(0)]))
        lengths = [len(s.p_value) for s in scans]
        by_trace = np.split(q_values, np.cumsum(lengths)[:-1]) if scans else []
        hits = [
            _Hit(
                t,
                int(i),
                int(s.begin[i]),
                int(s.end[i]),
                float(s.root[i]),
                float(s.p_value[i]),
                float(q[i]),
            )
            for t, s, q in zip(traces, scans, by_trace, strict=True)
            for i in np.flatnonzero(q <= FALSE_DISCOVERY)
        ]
        if not hits:
            break
        finding, first, last = _incident(hits, quiet, counts, settings, horizons)
        if not _is_cut_off(finding, last, counts, settings):
            found.append(finding)
        quiet[max(first - _PAD, 0) + 1 : last + _PAD + 1] = False
    return found, quiet


def _is_cut_off(finding: Finding, end: int, counts: StepCounts, settings: Settings) -> bool:
    """Whether it may only be how the data begin; `end` is the day after it, from the first."""
    since = finding.begins_within[0] if finding.begins_within else None
    with_data = since == day_of(counts.first) and not counts.earlier
    return with_data and end * timedelta(days=1) <= settings.gap


@dataclass(frozen=True)
class _Hit:
    """A series and its best stretch, days `begin` to `end - 1` from the first."""

    trace: _Traces
    row: int
    begin: int
    end: int
    root: float
    p_value: float
    q_value: float

    @property
    def key(self) -> Key:
        return self.trace.keys[self.row]

    def contrast(self, begin: int, end: int, quiet: Flags, row: int | None = None) -> Contrast:
        """The days from `begin` to `end - 1` against the other quiet days."""
        row = self.row if row is None else row
        inside = np.zeros(len(quiet), dtype=bool)
        inside[begin:end] = True
        series, sign = self.trace.series, self.trace.measure.sign
        squares = series.total if series.squares is None else series.squares
        n, x, q = series.trials[row], sign * series.total[row], squares[row]
        if series.squares is None:
            q = x
        inside, outside = inside & quiet, ~inside & quiet
        return Contrast(
            self.trace.measure.unit,
            float(n[inside].sum()), float(x[inside].sum()), float(q[inside].sum()),
            float(n[outside].sum()), float(x[outside].sum()), float(q[outside].sum()),
            sign,
        )  # fmt: skip


def _scan(traces: _Traces, quiet: Flags, least: int) -> Scan:
    series = traces.series
    masked = Series(
        series.trials * quiet,
        series.total * quiet,
        None if series.squares is None else series.squares * quiet,
    )
    return scan(masked, least, traces.measure.margin)


def _horizons(counts: StepCounts, settings: Settings) -> dict[str, int]:
    """By measure: days before the last on which its outcome isn't known."""
    window, undecided = settings.window_days, counts.undecided_days()
    return {
        "back": 0, "back_to": 0, "follow": window, "contact": window,
        "lost": undecided, "unconverted": undecided, "wait": 0, "satisfaction": 0,
    }  # fmt: skip


def _traces(
    counts: StepCounts, settings: Settings, horizons: Mapping[str, int]
) -> Iterator[_Traces]:
    """Every series that has the volume, up to the day on which its outcome is known."""
    for name, horizon in horizons.items():
        measure = MEASURES[name]
        total = counts.daily(measure.total)
        trials = counts.daily(measure.trials)
        known = np.arange(counts.days) <= counts.days - 1 - horizon
        if name == "back":  # wherever to
            keys = sorted({(*key[:3], "") for key in total.keys})
            of_key = {key: i for i, key in enumerate(keys)}
            values = np.zeros((len(keys), counts.days + 1))
            np.add.at(values, [of_key[*key[:3], ""] for key in total.keys], total.values)
        else:
            keys = [key for key in total.keys if _is_told(name, key, settings)]
            values = total.of(keys)
        n = trials.of([(*key[:3], "") for key in keys])
        if name == "follow":
            n = n - counts.daily("before").of(keys)
        n, values = n[:, 1:] * known, values[:, 1:] * known
        squares = counts.daily(measure.squares).of(keys)[:, 1:] * known if measure.squares else None
        enough = n.sum(axis=1) >= settings.min_volume
        if squares is None:
            enough &= values.sum(axis=1) >= _FEWEST
        rows = np.flatnonzero(enough)
        if len(rows):
            series = Series(n, measure.sign * values, squares)
            yield _Traces(measure, [keys[i] for i in rows], series.take(rows))


def _is_told(name: str, key: Key, settings: Settings) -> bool:
    """Whether more of it would be worse."""
    _, _, node, target = key
    if name == "follow":
        if target in settings.contacts | settings.errors:
            return node not in settings.contacts
        chance = settings.chance
        return node != START and chance.get(target, 1.0) <= chance.get(node, 0.0) / 2
    if name == "lost":
        return node != START
    return True


def _incident(
    hits: Sequence[_Hit],
    quiet: Flags,
    counts: StepCounts,
    settings: Settings,
    horizons: Mapping[str, int],
) -> tuple[Finding, int, int]:
    firmest = max(hits, key=lambda h: (h.root, h.key))
    group = [h for h in hits if _overlap(h, firmest)]
    calm = quiet[1:]
    masked = firmest.trace.series
    series = Series(
        masked.trials * calm,
        masked.total * calm,
        None if masked.squares is None else masked.squares * calm,
    )
    begin, end = sharpen(series, firmest.row, firmest.begin, firmest.end)
    begins, ends = ends_within(series, firmest.row, begin, end)
    near = [h for h in group if h.root >= _NEAR * firmest.root]
    contrasts = {id(h): h.contrast(begin, end, calm) for h in group}
    told = [h for h in near if contrasts[id(h)].trials >= settings.least_in_period] or [firmest]
    contrasts.setdefault(id(firmest), firmest.contrast(begin, end, calm))
    teller = max(told, key=lambda h: (contrasts[id(h)].excess_low, h.key))
    whose = _whom(teller, begin, end, calm)
    teller_row = whose if whose is not None else teller.row
    key = teller.trace.keys[teller_row]
    contrast = teller.contrast(begin, end, calm, teller_row)
    finding = _finding(
        teller,
        key,
        contrast,
        (begin, end),
        quiet,
        counts,
        settings,
        horizons[teller.trace.measure.name],
    )
    others = sorted(
        (
            h
            for h in group
            if h.key[:2] == key[:2] and (h.trace.measure, h.key) != (teller.trace.measure, key)
        ),
        key=lambda h: -contrasts[id(h)].excess_low,
    )
    also = tuple(
        _words(h.trace.measure, h.key, contrasts[id(h)], settings)
        for h in others[:_LISTED]
        if contrasts[id(h)].excess_low > 0
    )
    began = _dates(counts, begins)
    ended = None if finding.ends is None else _dates(counts, (ends[0] - 1, ends[1] - 1))
    sentence = f"{finding.sentence} {_when(began, ended)}".rstrip()
    return (
        replace(finding, sentence=sentence, also=also, begins_within=began, ends_within=ended),
        begin,
        end,
    )


def _dates(counts: StepCounts, days: tuple[int, int]) -> tuple[date, date]:
    return day_of(counts.first + days[0]), day_of(counts.first + days[1])


def _when(began: tuple[date, date], ended: tuple[date, date] | None) -> str:
    """How sure the days are, in words; nothing where they are."""
    told = [
        f"{verb} between {days[0]} and {days[1]}"
        for verb, days in (("began", began), ("ended", ended))
        if days is not None and days[0] != days[1]
    ]
    return f"It {' and '.join(told)} (95% interval)." if told else ""


def _overlap(one: _Hit, other: _Hit) -> bool:
    shared = min(one.end, other.end) - max(one.begin, other.begin)
    return 2 * shared >= min(one.end - one.begin, other.end - other.begin)


def _whom(hit: _Hit, begin: int, end: int, quiet: Flags) -> int | None:
    """Row of the slice whose excess is more than the others'; that of everybody if none is."""
    row_of = {key: i for i, key in enumerate(hit.trace.keys)}
    _, _, node, target = hit.key
    whole = row_of.get(("all", "all", node, target))
    if whole is None:
        return None
    everybody = hit.contrast(begin, end, quiet, whole)
    values = [k for k in row_of if k[2:] == (node, target) and k[0] != "all"]
    best, best_z = whole, norm.isf(0.01 / max(len(values), 1))
    for key in values:
        own = hit.contrast(begin, end, quiet, row_of[key])
        rest = _minus(everybody, own)
        if not own.trials or not own.base_trials or not rest.trials or not rest.base_trials:
            continue
        z = (own.excess - rest.excess) / np.hypot(own.error, rest.error)
        if z > best_z and own.excess >= 2 * rest.excess:
            best, best_z = row_of[key], z
    return best


def _minus(whole: Contrast, part: Contrast) -> Contrast:
    return Contrast(
        whole.unit,
        whole.trials - part.trials, whole.total - part.total, whole.squares - part.squares,
        whole.base_trials - part.base_trials, whole.base_total - part.base_total,
        whole.base_squares - part.base_squares, whole.sign,
    )  # fmt: skip


def _finding(
    hit: _Hit,
    key: Key,
    contrast: Contrast,
    days: tuple[int, int],
    quiet: Flags,
    counts: StepCounts,
    settings: Settings,
    horizon: int,
) -> Finding:
    segment, value, node, target = key
    measure = hit.trace.measure
    begin, end = days
    first, last = day_of(counts.first + begin), day_of(counts.first + end - 1)
    shown = between(day_of(counts.first), day_of(counts.last - horizon))
    where = [shown, *of_slice(segment, value), *settings.without(counts.first, quiet)]
    group = Group([between(first, last)], where)
    sql = settings.sql
    typical = contrast.shown(contrast.base)
    who = "" if segment == "all" else f", {segment} '{value}'"
    going_on = end >= counts.days - horizon
    until = "on" if going_on else f"to {last}"
    sentence = (
        f"From {first} {until}{who}: {_words(measure, key, contrast, settings)}. "
        f"That is {_cost(contrast):,.0f} journeys in excess."
    )
    kind = measure.kind
    if measure.name == "follow" and target in settings.errors:
        kind = "error"
    elif measure.name == "follow" and target in settings.contacts:
        kind = "contact"
    return Finding(
        kind=kind, node=node, target=target, segment=segment, segment_value=value,
        contrast=contrast, p_value=hit.p_value, q_value=float(hit.q_value), sentence=sentence,
        query=show(measure, node, target, group, sql),
        journeys_query=list_journeys(measure, node, target, group, sql, typical),
        begins=first, ends=None if going_on else last,
        cost_value=_value(key, days, quiet, counts, settings),
    )  # fmt: skip


def _value(
    key: Key, days: tuple[int, int], quiet: Flags, counts: StepCounts, settings: Settings
) -> float | None:
    """Value of the conversions missing at the step in these days, against the other quiet days."""
    inside = np.zeros(counts.days, dtype=bool)
    inside[days[0] : days[1]] = True
    decided, missed = (
        counts.daily(name).of([(*key[:3], "")])[0, 1:] for name in ("decided", "unconverted")
    )
    hit, others = (
        Outcomes(float(decided[on].sum()), float(missed[on].sum()))
        for on in (inside, ~inside & quiet[1:])
    )
    return settings.value_of(hit, others)


def _cost(contrast: Contrast) -> float:
    return contrast.excess * contrast.trials if contrast.unit == "share" else contrast.trials


def _words(measure: Measure, key: Key, contrast: Contrast, settings: Settings) -> str:
    _, _, node, target = key
    low, high = contrast.interval
    at = "that began" if node == START else f"at '{node}'"
    says = measure.says.format(
        target=f"'{target}'", days=settings.window_words, mean=amount(contrast, contrast.mean)
    )
    usual = amount(contrast, contrast.base)
    if contrast.unit == "share":
        return (
            f"{contrast.mean:.1%} of {contrast.trials:,.0f} journeys {at} {says} "
            f"(95% interval {low:.1%} to {high:.1%}), otherwise {usual}"
        )
    return f"{contrast.trials:,.0f} journeys {at} {says}, otherwise {usual}"
