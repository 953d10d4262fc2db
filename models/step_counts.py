"""Step counts: what becomes of the journeys that reach a step, day by day.

A pain point is a rate that is worse than it should be: at a step, for somebody, for some time. To
look for all of them, count once. The *trial* is a journey's **first visit** to a touchpoint, with
repeats of one touchpoint collapsed: a journey that goes round a loop ten times is one unhappy
journey, not ten. It is dated by its arrival. START is a touchpoint, too, so that what holds for
whole journeys is counted with the rest.

==============  ===============================================================================
measure         what `count` holds, for a node (`source_node`) and perhaps another (`target_node`)
==============  ===============================================================================
reached         journeys that reach the node
back            left to *target*, where they had been before the node; who stands there, open, has not
decided         had not converted when they came, and have ended since
undecided       had not converted when they came, and are open
unconverted     decided, and never converted
lost            decided, and the node was their last touchpoint
before          had been at *target* before they reached the node
follow          were at *target* for the first time within `window` after it; the others at risk of
                that are ``reached - before``
contact         asked for help within `window`: were at one of the `contacts`
waits           left after a known time; wait_sum, wait_squares: of its natural logarithm
sittings        waits of at most `pause`: people were still there; sitting_sum, sitting_squares
answers         satisfaction answers given at the node; answer_sum, answer_squares: of them
from            came to the node directly from *target*
bounce          ... and left it to *target* again
move            left the node to *target*; move_decided, move_unconverted: of these, decided and
                unconverted
onward          ... where they had not been before
==============  ===============================================================================

`level` says what `bin` is: ``day`` (days since 1970, UTC; what is older than `since` falls on the
day before it), ``hour`` (of the day, UTC), ``position`` (1-based place of the visit in the journey,
capped), ``whole`` (0). Days are counted for every segment, the rest for everybody.

Counts are integers that add up (`models.counts`), for any order and split of customers; logarithms
and answers are counted in millionths. There are at most days x pairs of nodes x segment values
rows a measure, whatever the number of journeys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.absorbing_chain import START
from models.counts import NONE, codes, count_by, counts_rows, join_counts, starts, sum_by
from models.journey_walks import walk

__all__ = ["POSITIONS", "UNIT", "count_steps", "first_day", "forget_days"]

UNIT = 1_000_000
"""Logarithms of seconds and satisfaction answers are added in millionths."""
POSITIONS = 12
"""Visits further down the journey than this are counted as here."""

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_EPOCH = datetime(1970, 1, 1)
_OPEN = 2
"""Place of an open journey in `models.journey_walks.OUTCOMES`."""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Visits:
    """First visits of journeys to nodes, START first, in order of journey and time."""

    journey: Ints
    node: Ints
    time: Ints
    """Arrival, microseconds since 1970."""
    position: Ints
    """1-based among the journey's visits, repeats collapsed; 0 for START."""
    came_from: Ints
    """Node before it; -1 for START."""
    goes_to: Ints
    """Node after it; -1 at the journey's end."""
    goes_back: Flags
    """Whether the node after it had been visited before it."""
    wait: Ints
    """Microseconds until the visit after it; -1 at the journey's end."""
    converted: Flags
    """Whether the journey had converted by then."""
    is_end: Flags
    """Whether its node is the journey's last."""
    contact: Ints
    """Microseconds until the next contact; -1 if there is none."""


def first_day(watermark: datetime, history: timedelta) -> int:
    """The first day that is told from the others, in days since 1970.

    >>> first_day(datetime(1970, 1, 31), timedelta(days=10))
    20
    """
    return (watermark.replace(tzinfo=None) - history - _EPOCH).days


def forget_days(counts: pa.Table, since: int) -> pa.Table:
    """Counts of steps as they are when days before a later `since` are not told apart any more."""
    days = pc.equal(counts["level"].cast(pa.string()), "day")
    bins = pc.if_else(days, pc.max_element_wise(counts["bin"], since - 1), counts["bin"])
    place = counts.schema.get_field_index("bin")
    return counts.set_column(place, counts.schema.field("bin"), bins.cast(pa.int32()))


def count_steps(
    steps: pa.Table,
    journeys: pa.Table,
    segments: Sequence[str],
    *,
    window: timedelta = timedelta(days=7),
    pause: timedelta = timedelta(minutes=30),
    contacts: Collection[str] = (),
    since: int = 0,
) -> pa.Table:
    """Count what becomes of whole journeys at their steps.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step, event_time, touchpoint, converts, csat (0..1).
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, customer_id, outcome (converted, lapsed, open) and
        a text column for each segment; null is counted as ``(none)``.
    segments : sequence of str
        Columns of `journeys` to slice by, beside the slice ``all``.
    window : timedelta
        How soon something must follow to be told of.
    pause : timedelta
        The session gap.
    contacts : collection of str
        Touchpoints at which customers ask for help or complain.
    since : int
        First day that is told from the others, in days since 1970.

    Returns
    -------
    pa.Table of `models.counts.COUNTS_SCHEMA`
        Each key once, in no order; to be added to those of other customers by
        `models.counts.merge_counts`.
    """
    walks = walk(steps, journeys)
    steps, number, journeys = walks.steps, walks.journey, walks.journeys
    node, names = codes(steps["touchpoint"])
    texts = pa.concat_arrays([names, pa.array([START, ""])])
    start, nobody = len(names), len(names) + 1
    is_contact = pc.is_in(names, value_set=pa.array(sorted(contacts), pa.string())).to_numpy(False)
    visits = _first_visits(steps, number, node, start, is_contact)
    outcome = walks.end
    day = np.maximum(visits.time // _DAY_US, since - 1)
    everybody = (np.zeros(len(journeys), dtype=np.int64), pa.array(["all"]))
    slices = {"all": everybody, **{name: codes(journeys[name], NONE) for name in segments}}

    limit_us = window // timedelta(microseconds=1)
    pause_us = pause // timedelta(microseconds=1)
    single = dict(_single_measures(visits, outcome, limit_us, pause_us, is_contact, start))
    pairs = dict(_pairs(visits, limit_us, start))
    answers = _answers(steps, number, node, since)

    def rows(level: str, names: Collection[str], bins: Ints) -> Iterator[pa.Table]:
        for segment, (value, values) in slices.items() if level == "day" else [("all", everybody)]:
            for measure in names:
                visit, target, amount = single[measure] if measure in single else pairs[measure]
                yield _rows(
                    level,
                    segment,
                    measure,
                    (value[visits.journey[visit]], values),
                    (visits.node[visit], texts),
                    nobody if target is None else target,
                    bins[visit],
                    amount,
                )

    parts = [
        *rows("day", [*_DAILY, *pairs], day),
        *rows("hour", _HOURLY, visits.time % _DAY_US // _HOUR_US),
        *rows("position", _BY_POSITION, np.minimum(visits.position, POSITIONS)),
        *rows("whole", _WHOLE, np.zeros_like(day)),
    ]
    for segment, (value, values) in slices.items():
        for measure, (journey, at, on, amount) in answers.items():
            parts.append(
                _rows(
                    "day",
                    segment,
                    measure,
                    (value[journey], values),
                    (at, texts),
                    nobody,
                    on,
                    amount,
                )
            )
    return join_counts(parts)


_DAILY = (
    "reached", "back", "decided", "undecided", "unconverted", "lost", "contact",
    "waits", "wait_sum", "wait_squares",
)  # fmt: skip
_HOURLY = ("sittings", "sitting_sum", "sitting_squares", "decided", "unconverted")
_BY_POSITION = ("reached", "before", "onward")
_WHOLE = (
    "reached", "decided", "unconverted", "from", "bounce", "move", "move_decided",
    "move_unconverted",
)  # fmt: skip

Counted = tuple[Ints, Ints | None, Ints | None]
"""Visits that count, the other node of each, and what each adds (1 where it is None)."""


def _first_visits(
    steps: pa.Table, number: Ints, node: Ints, start: int, is_contact: Flags
) -> _Visits:
    time = steps["event_time"].cast(pa.int64()).to_numpy()
    converts = pc.fill_null(steps["converts"], False).to_numpy()
    opens = starts(number)
    run = np.flatnonzero(opens | starts(node))  # repeats of one touchpoint are one visit
    journey, node, time = number[run], node[run], time[run]
    first = starts(journey)
    last = np.roll(first, -1)
    n, n_journeys = len(run), int(number[-1]) + 1 if len(number) else 0
    begin = np.flatnonzero(first)

    # A conversion within a run of repeats counts from that run on.
    so_far = np.cumsum(np.add.reduceat(converts.astype(np.int64), run) if n else run)
    of_journey = np.cumsum(first) - 1
    converted = so_far > np.append(0, so_far)[begin][of_journey] if n else first

    help_at = np.where(is_contact[node], np.arange(n), n) if n else node
    coming = np.append(np.minimum.accumulate(help_at[::-1])[::-1][1:], n) if n else help_at
    same = (coming < n) & (np.append(journey, -1)[coming] == journey)
    contact = np.where(same, np.append(time, 0)[coming] - time, -1)

    following = np.where(last, -1, np.roll(node, -1))
    width = start + 1
    key, at = np.unique(journey * width + node, return_index=True)
    next_key = journey[at] * width + following[at]
    place = np.minimum(np.searchsorted(key, next_key), max(len(key) - 1, 0))
    known = (following[at] >= 0) & (key[place] == next_key) if len(key) else key > 0
    goes_back = known & (at[place] < at) if len(key) else known

    ends_at = node[np.flatnonzero(last)]
    position = np.arange(n) - begin[of_journey] + 1 if n else node
    columns = {
        "journey": np.concatenate((np.arange(n_journeys), journey[at])),
        "node": np.concatenate((np.full(n_journeys, start), node[at])),
        "time": np.concatenate((time[begin], time[at])),
        "position": np.concatenate((np.zeros(n_journeys, np.int64), position[at])),
        "came_from": np.concatenate(
            (np.full(n_journeys, -1), np.where(first, start, np.roll(node, 1))[at])
        ),
        "goes_to": np.concatenate((node[begin], following[at])),
        "goes_back": np.concatenate((np.zeros(n_journeys, bool), goes_back)),
        "wait": np.concatenate(
            (np.full(n_journeys, -1), np.where(last, -1, np.roll(time, -1) - time)[at])
        ),
        "converted": np.concatenate((np.zeros(n_journeys, bool), converted[at])),
        "is_end": np.concatenate(
            (np.zeros(n_journeys, bool), ends_at[journey[at]] == node[at] if n else key > 0)
        ),
        "contact": np.concatenate(
            (np.where(is_contact[node[begin]], 0, contact[begin]), contact[at])
        ),
    }
    order = np.lexsort((columns["position"], columns["journey"]))
    return _Visits(**{name: values[order] for name, values in columns.items()})


def _single_measures(
    visits: _Visits, outcome: Ints, limit_us: int, pause_us: int, is_contact: Flags, start: int
) -> Iterator[tuple[str, Counted]]:
    """Measures of a visit by itself."""
    ends = outcome[visits.journey]
    inner = visits.node != start
    decided = ~visits.converted & (ends != _OPEN)
    unconverted = decided & (ends != 0)
    helped = (visits.contact >= 0) & (visits.contact <= limit_us)
    helped &= ~np.append(is_contact, False)[visits.node]
    waited = inner & (visits.wait > 0)
    from_inner = inner & (visits.came_from >= 0) & (visits.came_from != start)
    moved = inner & (visits.goes_to >= 0)
    for name, mask in {
        "reached": np.ones_like(inner),
        "decided": decided,
        "undecided": ~visits.converted & (ends == _OPEN),
        "unconverted": unconverted,
        "lost": unconverted & visits.is_end,
        "contact": helped,
    }.items():
        yield name, (np.flatnonzero(mask), None, None)
    for name, mask, target in (
        ("back", visits.goes_back, visits.goes_to),
        ("from", from_inner, visits.came_from),
        ("bounce", from_inner & (visits.goes_to == visits.came_from), visits.came_from),
        ("move", moved, visits.goes_to),
        ("move_decided", moved & decided, visits.goes_to),
        ("move_unconverted", moved & unconverted, visits.goes_to),
        ("onward", moved & ~visits.goes_back, visits.goes_to),
    ):
        at = np.flatnonzero(mask)
        yield name, (at, target[at], None)
    logs = np.log(np.maximum(visits.wait, 1) / 1e6)
    for name, mask in (("wait", waited), ("sitting", waited & (visits.wait <= pause_us))):
        at = np.flatnonzero(mask)
        yield f"{name}s", (at, None, None)
        yield f"{name}_sum", (at, None, np.rint(logs[at] * UNIT).astype(np.int64))
        yield f"{name}_squares", (at, None, np.rint(logs[at] ** 2 * UNIT).astype(np.int64))


def _pairs(visits: _Visits, limit_us: int, start: int) -> Iterator[tuple[str, Counted]]:
    """Pairs of an earlier and a later first visit of one journey."""
    n = len(visits.journey)
    begin = np.flatnonzero(starts(visits.journey)) if n else np.zeros(0, np.int64)
    end = np.append(begin[1:], n)
    of_journey = np.repeat(np.arange(len(begin)), end - begin)
    later = end[of_journey] - np.arange(n) - 1 if n else np.zeros(0, np.int64)
    early = np.repeat(np.arange(n), later)
    late = np.arange(len(early)) - np.repeat(np.cumsum(later) - later, later) + early + 1
    soon = visits.time[late] - visits.time[early] <= limit_us
    yield "follow", (early[soon], visits.node[late[soon]], None)
    known = visits.node[early] != start
    yield "before", (late[known], visits.node[early[known]], None)


def _answers(
    steps: pa.Table, number: Ints, node: Ints, since: int
) -> dict[str, tuple[Ints, Ints, Ints, Ints]]:
    """By measure: journey, node, day and amount of each satisfaction answer."""
    csat = steps["csat"].cast(pa.float64())
    at = np.flatnonzero(pc.fill_null(pc.is_finite(csat), False).to_numpy())
    answer = csat.to_numpy()[at]
    time = steps["event_time"].cast(pa.int64()).to_numpy()[at]
    day = np.maximum(time // _DAY_US, since - 1)
    amounts = {
        "answers": np.ones(len(at), np.int64),
        "answer_sum": np.rint(answer * UNIT).astype(np.int64),
        "answer_squares": np.rint(answer**2 * UNIT).astype(np.int64),
    }
    return {name: (number[at], node[at], day, amount) for name, amount in amounts.items()}


def _rows(
    level: str,
    segment: str,
    measure: str,
    value: tuple[Ints, pa.Array],
    source: tuple[Ints, pa.Array],
    target: Ints | int,
    bins: Ints,
    amount: Ints | None,
) -> pa.Table:
    (of_value, values), (of_source, texts) = value, source
    # The days that occur, not those since 1970; and one target where all have the same.
    low = int(bins.min()) if len(bins) else 0
    width, deep = len(texts), int(bins.max(initial=low)) - low + 1
    first, ends = (0, width) if isinstance(target, np.ndarray) else (target, 1)
    key = ((of_value * width + of_source) * ends + (target - first)) * deep + (bins - low)
    size = len(values) * width * ends * deep
    key, count = count_by(key, size) if amount is None else sum_by(key, amount, size)
    rest, bins = np.divmod(key, deep)
    rest, target = np.divmod(rest, ends)
    of_value, of_source = np.divmod(rest, width)
    return counts_rows(
        level,
        segment,
        measure,
        count,
        segment_value=(of_value, values),
        source=(of_source, texts),
        target=(target + first, texts),
        bins=bins + low,
    )
