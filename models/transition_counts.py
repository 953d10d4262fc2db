"""Transition counts: the moves that journeys make, counted bucket by bucket.

A journey is a walk: START, its touchpoints in order, then CONVERSION, DROP_OFF or OPEN. The moves
of all walks are the stage-transition graph. Each bucket of customers is counted for itself, into
rows that can be added (`models.counts`); the sum is read by `models.transition_tables`. A
customer's whole history lies in one bucket, so distinct journeys and customers add up too.

=================  ==========================================================================
measure            what `count` holds
=================  ==========================================================================
moves              moves from source_node to target_node
move_journeys      journeys that made that move
move_customers     customers who made it
dwell              such moves with a known dwell time at source_node, by bin of `models.dwell`
node_journeys      journeys that visit source_node; at START, all journeys of the slice
node_customers     customers who visit source_node; at START, all customers of the slice
csat_answers       satisfaction answers given at source_node
csat_sum           their sum, in billionths
csat_squares       sum of their squares, in billionths
=================  ==========================================================================

Moves from a node to itself are counted; nothing is collapsed. **Flow is conserved**: a visit is
entered by one move and left by one, so arrivals equal departures at every node, START is left
once and an end is reached once by every journey.

References
----------
.. [1] J. R. Norris, *Markov Chains*, Cambridge University Press 1997 (1.10: shares of these counts
   are the maximum-likelihood estimate of the chain).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN, START
from models.counts import codes, counts_rows, encode, merge_counts, starts, sum_by
from models.dwell import BINS, bin_seconds

__all__ = [
    "CSAT_UNIT",
    "LEVELS",
    "NONE",
    "OUTCOMES",
    "count_transitions",
    "in_order",
    "outcome_codes",
]

LEVELS = ("stage", "touchpoint", "channel")
"""What a node may be; each is a column of `touchpoints`."""

NONE = "(none)"
"""Segment value of journeys that have none."""

CSAT_UNIT = 1_000_000_000
"""Satisfaction is added in billionths: exact, and good for nine billion answers."""

OUTCOMES = {"converted": CONVERSION, "lapsed": DROP_OFF, "open": OPEN}
"""Where a journey ends, by its outcome."""

Ints = NDArray[np.int64]
Coded = tuple[Ints, pa.Array]


def outcome_codes(journeys: pa.Table) -> Ints:
    """Place of each journey's outcome in `OUTCOMES`; ValueError if it has none."""
    outcomes = pa.array(list(OUTCOMES))
    found = pc.index_in(journeys["outcome"].cast(pa.string()), value_set=outcomes)
    if found.null_count:
        strange = journeys["outcome"].filter(pc.is_null(found)).unique().to_pylist()
        raise ValueError(f"outcomes {strange} are none of {list(OUTCOMES)}")
    return found.to_numpy().astype(np.int64)


@dataclass(frozen=True)
class _Walks:
    """Steps in order of journey and step. Journeys are numbered in that order, from 0."""

    steps: pa.Table
    """Sorted steps."""
    journey: Ints
    """Number of each step's journey, ascending; shape (n_steps,)."""
    last: NDArray[np.bool_]
    """Whether a step is its journey's last; shape (n_steps,)."""
    customer: Ints
    """Number of each journey's customer; shape (n_journeys,)."""
    end: Ints
    """Place of each journey's end in `OUTCOMES`; shape (n_journeys,)."""
    slices: dict[str, Coded]
    """By segment: each journey's value."""
    dwell: tuple[Ints, Ints]
    """Steps that are left after a known time, and the bin of that time."""
    csat: tuple[Ints, Ints, Ints]
    """Steps with a satisfaction answer, the answer, and its square, both in `CSAT_UNIT`."""


@dataclass(frozen=True)
class _Slice:
    """Journeys by the value they have in a segment, at one level.

    A *place* is an edge, ``source << bits | target``. A node is the edge from it to the empty text.
    """

    level: str
    segment: str
    value: Ints
    """Code of each journey's value; shape (n_journeys,)."""
    values: pa.Array
    texts: pa.Array
    """Texts of the codes of nodes."""
    bits: int
    """Bits of the code of a node."""

    def key(self, journey: Ints, place: Ints) -> Ints:
        key = self.value[journey]
        key <<= 2 * self.bits
        key |= place
        return key

    def rows(self, measure: str, keys: Ints, count: Ints, bins: Ints | int = 0) -> pa.Table:
        mask = (1 << self.bits) - 1
        return counts_rows(
            self.level,
            self.segment,
            measure,
            count,
            segment_value=(keys >> 2 * self.bits, self.values),
            source=(keys >> self.bits & mask, self.texts),
            target=(keys & mask, self.texts),
            bins=bins,
        )

    def tally(self, measure: str, keys: Ints) -> pa.Table:
        return self.rows(measure, *_tally(keys, len(self.values) << 2 * self.bits))


def count_transitions(steps: pa.Table, journeys: pa.Table, segments: Sequence[str]) -> pa.Table:
    """Count the moves of whole journeys of whole customers, at every level and for every segment.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step, dwell_s (seconds), csat (0..1), and the levels to count:
        those of stage, touchpoint and channel that are there. Text may be dictionary-encoded.
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, customer_id, outcome (converted,
        lapsed, open) and a text column for each segment; null is counted as ``(none)``.
    segments : sequence of str
        Columns of `journeys` to slice by, beside the slice ``all``.

    Returns
    -------
    pa.Table of `models.counts.COUNTS_SCHEMA`
        To be added to those of other customers by `merge_counts`.

    Raises
    ------
    ValueError
        If steps and journeys do not belong together, an outcome is unknown, two steps of a journey
        share a number, or a node is null.
    """
    if "all" in segments:
        raise ValueError("'all' is the slice of everybody and can't be the name of a segment")
    walks = _walks(steps, journeys, segments)
    parts: list[pa.Table] = []
    for level in (name for name in LEVELS if name in steps.column_names):
        parts += _count_level(level, walks)
    return merge_counts(parts)


def in_order(steps: pa.Table, journeys: pa.Table) -> tuple[pa.Table, Ints, pa.Table]:
    """Sort steps by journey and step, and number the journeys in that order.

    Parameters
    ----------
    steps, journeys : pa.Table
        The steps (journey_id, step ...) of whole journeys, in any order, and these journeys.

    Returns
    -------
    steps : pa.Table
        Sorted.
    journey : ndarray of shape (n_steps,)
        Number of each step's journey, from 0, ascending.
    journeys : pa.Table
        Row i is journey number i.

    Raises
    ------
    ValueError
        If steps and journeys do not belong together or two steps of a journey share a number.
    """
    number, ids = encode(steps["journey_id"])
    known = journeys["journey_id"].cast(pa.string()).combine_chunks()
    row = pc.index_in(ids, value_set=known)
    if row.null_count or len(ids) != journeys.num_rows:
        raise ValueError(
            f"steps tell of {len(ids)} journeys, {row.null_count} of them unknown to the "
            f"{journeys.num_rows} rows of journeys; pass the same journeys in both, one row each"
        )
    step = steps["step"].to_numpy().astype(np.int64)
    key = number * (step.max(initial=0) + 1) + step
    if (key[1:] <= key[:-1]).any():
        order = np.argsort(key)
        steps, number, key = steps.take(pa.array(order)), number[order], key[order]
        if not starts(key).all():
            raise ValueError("two steps of a journey have one number, so their order is unknown")
    return steps, number, journeys.take(row)


def _walks(steps: pa.Table, journeys: pa.Table, segments: Sequence[str]) -> _Walks:
    used = [n for n in (*LEVELS, "dwell_s", "csat") if n in steps.column_names]
    steps, number, journeys = in_order(steps.select(["journey_id", "step", *used]), journeys)
    last = np.roll(starts(number), -1)

    everybody = (np.zeros(len(journeys), dtype=np.int64), pa.array(["all"]))
    dwell, csat = steps["dwell_s"], steps["csat"].cast(pa.float64())
    waited = np.flatnonzero(pc.is_valid(dwell).to_numpy() & ~last)
    answered = np.flatnonzero(pc.fill_null(pc.is_finite(csat), False).to_numpy())
    answer = csat.to_numpy()[answered]
    return _Walks(
        steps=steps,
        journey=number,
        last=last,
        customer=encode(journeys["customer_id"])[0],
        end=outcome_codes(journeys),
        slices={"all": everybody, **{name: codes(journeys[name], NONE) for name in segments}},
        dwell=(waited, bin_seconds(dwell.to_numpy()[waited])),
        csat=(answered, *(np.rint(a * CSAT_UNIT).astype(np.int64) for a in (answer, answer**2))),
    )


def _count_level(level: str, walks: _Walks) -> Iterator[pa.Table]:
    node, nodes = codes(walks.steps[level])
    texts = pa.concat_arrays([nodes, pa.array(["", START, *OUTCOMES.values()])])
    empty, start = len(nodes), len(nodes) + 1
    bits = len(texts).bit_length()

    # One move leaves each step; one more enters each journey's first step from START.
    n_journeys = len(walks.end)
    target = np.roll(node, -1)
    target[walks.last] = start + 1 + walks.end
    first = node[np.roll(walks.last, 1)]
    journey = np.concatenate((walks.journey, np.arange(n_journeys)))
    source = np.concatenate((node, np.full(n_journeys, start)))
    edge = source << bits | np.concatenate((target, first))
    visit = source << bits | empty
    visitors = {"move": _distinct(journey, edge), "node": _distinct(journey, visit)}
    waited, wait = walks.dwell
    answered, answer, square = walks.csat

    for segment, (value, values) in walks.slices.items():
        slice_ = _Slice(level, segment, value, values, texts, bits)
        yield slice_.tally("moves", slice_.key(journey, edge))
        for kind, (who, place) in visitors.items():
            key = slice_.key(who, place)
            yield slice_.tally(f"{kind}_journeys", key)
            yield slice_.tally(f"{kind}_customers", _distinct(walks.customer[who], key)[1])
        key = slice_.key(walks.journey[waited], edge[waited]) * BINS + wait
        bins, count = _tally(key, (len(values) << 2 * bits) * BINS)
        yield slice_.rows("dwell", bins // BINS, count, bins % BINS)
        key = slice_.key(walks.journey[answered], visit[answered])
        yield slice_.tally("csat_answers", key)
        yield slice_.rows("csat_sum", *sum_by(key, answer))
        yield slice_.rows("csat_squares", *sum_by(key, square))


def _tally(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Distinct keys, each in 0..size - 1, and how often each occurs."""
    if size <= 4 * len(keys):
        count = np.bincount(keys, minlength=size)
        found = np.flatnonzero(count)
        return found, count[found]
    keys = np.sort(keys)
    first = np.flatnonzero(starts(keys))
    return keys[first], np.diff(first, append=len(keys))


def _distinct(owner: Ints, place: Ints) -> tuple[Ints, Ints]:
    """Distinct pairs of owner and place."""
    bits = int(place.max(initial=0)).bit_length()
    pairs = owner << bits
    pairs |= place
    pairs.sort()
    pairs = pairs[starts(pairs)]
    return pairs >> bits, pairs & ((1 << bits) - 1)
