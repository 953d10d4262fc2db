"""Transition counts: the moves that journeys make, counted bucket by bucket.

A journey is a walk: START, its visits in order (`models.journey_walks`), then CONVERSION, DROP_OFF
or OPEN. The moves of all walks are the stage-transition graph. Each bucket of customers is counted
for itself, into rows that can be added (`models.counts`); the sum is read by
`models.transition_tables`. A customer's whole history lies in one bucket, so distinct journeys
and customers add up too.

=================  ==========================================================================
measure            what `count` holds
=================  ==========================================================================
moves              moves from source_node to target_node
move_journeys      journeys that made that move
move_customers     customers who made it
dwell              such moves with a known dwell time at source_node, by bin of `models.dwell`
node_journeys      journeys that visit source_node; at START, all journeys of the slice
node_customers     customers who visit source_node; at START, all customers of the slice
settled            settled moves on the way to the conversion, by group of customers as `bin`
settled_ms         milliseconds waited before them
settled_won        settled visits to source_node on the way, of journeys that converted
turns              the same moves as `settled`, source_node holding the node before it as well
csat_... nps_...   satisfaction and what follows, see `models.satisfaction`
=================  ==========================================================================

Moves from a node to itself are counted; nothing is collapsed. **Flow is conserved**: a visit is
entered by one move and left by one, so arrivals equal departures at every node, START is left
once and an end is reached once by every journey.

Settled moves are what conversion probabilities are estimated from: those that begin at a visit on
the way to the first conversion, old enough at the watermark that its next move can't be hidden
(`models.journey_walks`). The visit with the conversion moves to CONVERSION, whatever follows.

References
----------
.. [1] J. R. Norris, *Markov Chains*, Cambridge University Press 1997 (1.10: shares of these counts
   are the maximum-likelihood estimate of the chain).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.absorbing_chain import START
from models.counts import NONE, codes, counts_rows, join_counts, starts, sum_by
from models.customer_groups import GROUPS
from models.dwell import BINS, bin_seconds
from models.journey_walks import OUTCOMES, Visits, Walks, visits, walk
from models.satisfaction import Answers, answers_of, before_last

__all__ = ["TURN", "count_transitions"]

TURN = "\x1f"
"""Stands between the two nodes that `source_node` holds in the measure ``turns``."""

Ints = NDArray[np.int64]
Coded = tuple[Ints, pa.Array]


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

    @property
    def size(self) -> int:
        """Number of keys there may be."""
        return len(self.values) << 2 * self.bits

    def tally(self, measure: str, keys: Ints) -> pa.Table:
        return self.rows(measure, *_tally(keys, self.size))

    def add(self, measure: str, keys: Ints, amount: Ints) -> pa.Table:
        return self.rows(measure, *sum_by(keys, amount, self.size))

    def tally_binned(self, measure: str, keys: Ints, bins: Ints, n_bins: int) -> pa.Table:
        key, count = _tally(keys * n_bins + bins, self.size * n_bins)
        return self.rows(measure, key // n_bins, count, key % n_bins)


def count_transitions(
    steps: pa.Table,
    journeys: pa.Table,
    segments: Sequence[str],
    *,
    stages: Sequence[str] = (),
    returns: Collection[str] = (),
    contacts: Collection[str] = (),
) -> pa.Table:
    """Count the moves of whole journeys of whole customers, at every level and for every segment.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step, dwell_s (seconds), and what there is of converts, settled
        (`models.journey_walks.walk`), stage, touchpoint, channel, session_id, csat, nps and
        sentiment. Text may be dictionary-encoded. The levels counted are those of stage,
        touchpoint and channel that are there, and sessions if all they need is there.
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, customer_id, outcome (converted,
        lapsed, open) and a text column for each segment; null is counted as ``(none)``.
    segments : sequence of str
        Columns of `journeys` to slice by, beside the slice ``all``.
    stages : sequence of str
        Stages in their declared order, by which a session is named.
    returns, contacts : collection of str
        Touchpoints that are one.

    Returns
    -------
    pa.Table of `models.counts.COUNTS_SCHEMA`
        Each key once, in no order; to be added to those of other customers by
        `models.counts.merge_counts`.

    Raises
    ------
    ValueError
        If steps and journeys do not belong together, an outcome is unknown, two steps of a journey
        share a number, or a node is null.
    """
    if "all" in segments:
        raise ValueError("'all' is the slice of everybody and can't be the name of a segment")
    walks = walk(steps, journeys)
    everybody = (np.zeros(len(walks.end), dtype=np.int64), pa.array(["all"]))
    slices = {"all": everybody, **{n: codes(walks.journeys[n], NONE) for n in segments}}
    answers = answers_of(walks.steps)
    followed = {
        f"{name}_journeys": before_last(walks, touchpoints)
        for name, touchpoints in (("return", returns), ("contact", contacts))
    }
    parts: list[pa.Table] = []
    for at_level in visits(walks, stages):
        parts += _count_level(walks, at_level, slices, answers, followed)
    return join_counts(parts)


def _count_level(
    walks: Walks,
    at: Visits,
    slices: dict[str, Coded],
    answers: Sequence[Answers],
    followed: dict[str, Ints],
) -> Iterator[pa.Table]:
    texts = pa.concat_arrays([at.texts, pa.array(["", START, *OUTCOMES.values()])])
    empty, start = len(at.texts), len(at.texts) + 1
    bits = len(texts).bit_length()

    # One move leaves each visit; one more enters each journey's first visit from START.
    n_journeys = len(walks.end)
    opens = np.roll(at.last, 1)
    target = np.roll(at.node, -1)
    target[at.last] = start + 1 + walks.end
    journey = np.concatenate((at.journey, np.arange(n_journeys)))
    source = np.concatenate((at.node, np.full(n_journeys, start)))
    edge = source << bits | np.concatenate((target, at.node[opens]))
    visit = source << bits | empty
    visitors = {"move": _distinct(journey, edge), "node": _distinct(journey, visit)}
    waited = np.flatnonzero(~np.isnan(at.dwell_s))
    wait = bin_seconds(at.dwell_s[waited])

    # The way to the conversion: it ends where the first conversion is, whatever follows.
    to_open = target == start + 1 + list(OUTCOMES).index("open")
    way_target = np.where(at.arrives, start + 1, target)
    way = np.flatnonzero(at.on_way & at.settled & (at.arrives | ~to_open))
    begun = walks.settled[starts(walks.journey)]
    settled = np.append(way, len(at.node) + np.flatnonzero(begun))
    way_edge = source << bits | np.concatenate((way_target, at.node[opens]))
    going = way[~at.arrives[way] & ~np.isnan(at.dwell_s[way])]
    waited_ms = np.rint(at.dwell_s[going] * 1000).astype(np.int64)
    won = way[walks.end[at.journey[way]] == list(OUTCOMES).index("converted")]

    for segment, (value, values) in slices.items():
        slice_ = _Slice(at.level, segment, value, values, texts, bits)
        yield slice_.tally("moves", slice_.key(journey, edge))
        for kind, (who, place) in visitors.items():
            key = slice_.key(who, place)
            yield slice_.tally(f"{kind}_journeys", key)
            yield slice_.tally(f"{kind}_customers", _distinct(walks.customer[who], key)[1])
        key = slice_.key(at.journey[waited], edge[waited])
        yield slice_.tally_binned("dwell", key, wait, BINS)
        key = slice_.key(journey[settled], way_edge[settled])
        yield slice_.tally_binned("settled", key, walks.group[journey[settled]], GROUPS)
        key = slice_.key(at.journey[going], way_edge[going])
        yield slice_.add("settled_ms", key, waited_ms)
        yield slice_.tally("settled_won", slice_.key(at.journey[won], visit[won]))
        for given in answers:
            of = at.of_step[given.step]
            key = slice_.key(at.journey[of], visit[of])
            yield slice_.tally(f"{given.name}_answers", key)
            yield slice_.add(f"{given.name}_sum", key, given.score)
            yield slice_.add(f"{given.name}_squares", key, given.square)
        for measure, steps in followed.items():
            of = at.of_step[steps]
            yield slice_.tally(measure, slice_.key(*_distinct(at.journey[of], visit[of])))

    previous = np.where(opens, start, np.roll(at.node, 1))[way]
    group = walks.group[at.journey[way]]
    yield _turns(at.level, previous << bits | at.node[way], way_target[way], group, texts, bits)


def _turns(
    level: str, pair: Ints, target: Ints, group: Ints, texts: pa.Array, bits: int
) -> pa.Table:
    """Moves by the two nodes before them, over all journeys."""
    key, count = _tally((pair << bits | target) * GROUPS + group, GROUPS << 3 * bits)
    key, bins = np.divmod(key, GROUPS)
    pairs, place = np.unique(key >> bits, return_inverse=True)
    before, at = (texts.take(pa.array(end)) for end in (pairs >> bits, pairs & ((1 << bits) - 1)))
    return counts_rows(
        level,
        "all",
        "turns",
        count,
        source=(place, pc.binary_join_element_wise(before, at, TURN)),
        target=(key & ((1 << bits) - 1), texts),
        bins=bins,
    )


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
