"""Transition counts: the moves that journeys make, counted bucket by bucket.

A journey is a walk: START, its touchpoints in order, then CONVERSION, DROP_OFF or OPEN. The moves of
all walks are the stage-transition graph. Here each bucket of customers is counted for itself
(`count_transitions`) into rows that can be added (`models.counts`), and the sum is read as the two published
tables (`finish`). A customer's whole history lies in one bucket, so distinct journeys and customers add up too.

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
stage_visits       visits to touchpoint source_node that belong to stage target_node
=================  ==========================================================================

Moves from a node to itself are counted; nothing is collapsed. **Flow is conserved**: a visit is entered by
one move and left by one, so arrivals equal departures at every node, START is left once and an end reached
once by every journey. `finish` refuses counts that break this.

References
----------
.. [1] J. R. Norris, *Markov Chains*, Cambridge University Press 1997 (1.10: these shares are the maximum-likelihood
   estimate of the chain).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.schemas import table_schema
from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN, START, AbsorbingChain
from models.counts import codes, counts_rows, merge_counts, sum_by
from models.dwell import BINS, bin_seconds, grouped_quantiles
from models.intervals import mean_interval, wilson_interval

__all__ = ["LEVELS", "NONE", "count_transitions", "finish", "merge_counts"]

LEVELS = ("stage", "touchpoint", "channel")
"""What a node may be; each is a column of `touchpoints`."""

NONE = "(none)"
"""Segment value of journeys that have none."""

CSAT_UNIT = 1_000_000_000
"""Satisfaction is added in billionths: exact, and good for nine billion answers."""

_ENDS = {"converted": CONVERSION, "lapsed": DROP_OFF, "open": OPEN}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Coded = tuple[Ints, pa.Array]


@dataclass(frozen=True)
class _Walks:
    """Steps in order of journey and step. Journeys are numbered in that order, from 0."""

    steps: pa.Table
    """Sorted steps."""
    journey: Ints
    """Number of each step's journey, ascending; shape (n_steps,)."""
    last: NDArray[np.bool_]
    """Whether a step is its journey's last; shape (n_steps,)."""
    journeys: pa.Table
    """Row i is journey number i."""


@dataclass(frozen=True)
class _Slice:
    """Journeys by the value they have in a segment, at one level.

    A *place* is an edge, source * len(texts) + target. A node is the edge from it to the empty text.
    """

    level: str
    segment: str
    value: Ints
    """Code of each journey's value; shape (n_journeys,)."""
    values: pa.Array
    texts: pa.Array
    """Texts of the codes of nodes."""

    @property
    def places(self) -> int:
        return len(self.texts) ** 2

    def key(self, journey: Ints, place: Ints) -> Ints:
        return self.value[journey] * self.places + place

    def rows(self, measure: str, keys: Ints, count: Ints, bins: Ints | int = 0) -> pa.Table:
        value, place = np.divmod(keys, self.places)
        source, target = np.divmod(place, len(self.texts))
        coded = ((value, self.values), (source, self.texts), (target, self.texts))
        return counts_rows(self.level, self.segment, measure, count, *coded, bins)

    def tally(self, measure: str, keys: Ints) -> pa.Table:
        return self.rows(measure, *_tally(keys, len(self.values) * self.places))


def count_transitions(steps: pa.Table, journeys: pa.Table, segments: Sequence[str]) -> pa.Table:
    """Count the moves of whole journeys of whole customers, at every level and for every segment.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step, dwell_s (seconds), csat (0..1), and the levels to count: those of
        stage, touchpoint and channel that are there. Text may be dictionary-encoded.
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, customer_id, outcome (converted, lapsed,
        open) and a text column for each segment; null is counted as ``(none)``.
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
    walks = _walks(steps, journeys)
    everybody = (np.zeros(walks.journeys.num_rows, dtype=np.int64), pa.array(["all"]))
    slices = {"all": everybody, **{name: codes(walks.journeys[name], NONE) for name in segments}}
    parts: list[pa.Table] = []
    for level in (name for name in LEVELS if name in steps.column_names):
        parts += _count_level(level, walks, slices)
    if {"touchpoint", "stage"} <= set(steps.column_names):
        parts.append(_count_stages(walks.steps))
    return merge_counts(parts)


def _walks(steps: pa.Table, journeys: pa.Table) -> _Walks:
    number, ids = codes(steps["journey_id"])
    known = journeys["journey_id"].cast(pa.string()).combine_chunks()
    row = pc.index_in(ids, value_set=known)
    if row.null_count or len(ids) != journeys.num_rows:
        raise ValueError(
            f"steps tell of {len(ids)} journeys, {row.null_count} of them unknown to the "
            f"{journeys.num_rows} rows of journeys; pass the same journeys in both, one row each"
        )
    step = steps["step"].to_numpy().astype(np.int64)
    key = number * (step.max(initial=0) + 1) + step
    if (np.diff(key) <= 0).any():
        order = np.argsort(key)
        steps, number, key = steps.take(pa.array(order)), number[order], key[order]
        if (np.diff(key) == 0).any():
            raise ValueError("two steps of a journey have one number, so their order is unknown")
    last = np.diff(number, append=len(ids)) != 0
    return _Walks(steps, number, last, journeys.take(row))


def _count_level(level: str, walks: _Walks, slices: dict[str, Coded]) -> Iterator[pa.Table]:
    node, nodes = codes(walks.steps[level])
    outcome, outcomes = codes(walks.journeys["outcome"])
    if unknown := set(outcomes.to_pylist()) - set(_ENDS):
        raise ValueError(f"outcomes {sorted(unknown)} are none of {sorted(_ENDS)}")
    ends = [_ENDS[name] for name in outcomes.to_pylist()]
    texts = pa.concat_arrays([nodes, pa.array(["", START, *ends])])
    empty, start, end, width = len(nodes), len(nodes) + 1, len(nodes) + 2 + outcome, len(texts)

    target = np.append(node[1:], 0)
    target[walks.last] = end
    first = node[np.flatnonzero(np.append(True, walks.last[:-1]))] if len(node) else node
    journey = np.concatenate((walks.journey, np.arange(len(outcome))))
    source = np.concatenate((node, np.full(len(outcome), start)))
    edge = source * width + np.concatenate((target, first))
    visit = source * width + empty

    dwell, csat = walks.steps["dwell_s"], walks.steps["csat"].cast(pa.float64())
    waited = np.flatnonzero(pc.is_valid(dwell).to_numpy() & ~walks.last)
    wait = bin_seconds(dwell.to_numpy()[waited])
    answered = np.flatnonzero(pc.fill_null(pc.is_finite(csat), False).to_numpy())
    answer = csat.to_numpy()[answered]
    sums = {"csat_sum": answer, "csat_squares": answer**2}
    customer, _ = codes(walks.journeys["customer_id"])
    visitors = {"move": _distinct(journey, edge), "node": _distinct(journey, visit)}

    for segment, (value, values) in slices.items():
        slice_ = _Slice(level, segment, value, values, texts)
        yield slice_.tally("moves", slice_.key(journey, edge))
        for kind, (who, place) in visitors.items():
            key = slice_.key(who, place)
            yield slice_.tally(f"{kind}_journeys", key)
            yield slice_.tally(f"{kind}_customers", _distinct(customer[who], key)[1])
        key = slice_.key(walks.journey[waited], edge[waited]) * BINS + wait
        bins, count = _tally(key, len(values) * slice_.places * BINS)
        yield slice_.rows("dwell", bins // BINS, count, bins % BINS)
        key = slice_.key(walks.journey[answered], visit[answered])
        yield slice_.tally("csat_answers", key)
        for measure, amount in sums.items():
            yield slice_.rows(measure, *sum_by(key, np.rint(amount * CSAT_UNIT).astype(np.int64)))


def _count_stages(steps: pa.Table) -> pa.Table:
    """Visits to each touchpoint by the stage they belong to."""
    (source, nodes), (target, stages) = codes(steps["touchpoint"]), codes(steps["stage"])
    pair, count = _tally(source * len(stages) + target, len(nodes) * len(stages))
    source, target = np.divmod(pair, len(stages))
    columns = {"source": (source, nodes), "target": (target, stages)}
    return counts_rows("touchpoint", "all", "stage_visits", count, **columns)


def _tally(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Distinct keys, each in 0..size - 1, and how often each occurs."""
    if size <= 4 * len(keys):
        count = np.bincount(keys, minlength=size)
        found = np.flatnonzero(count)
        return found, count[found]
    return sum_by(keys, np.ones_like(keys)) 


def _distinct(owner: Ints, place: Ints) -> tuple[Ints, Ints]:
    """Distinct pairs of owner and place."""
    size = int(place.max(initial=0)) + 1
    pairs = np.sort(owner * size + place)
    pairs = pairs[np.diff(pairs, prepend=-1) != 0]
    return pairs // size, pairs % size


def finish(counts: pa.Table, min_customers: int = 1) -> tuple[pa.Table, pa.Table]:
    """Read merged counts as the tables `stages` and `transitions`.

    Parameters
    ----------
    counts : pa.Table
        From `merge_counts`.
    min_customers : int
        Slices with fewer customers are left out (privacy).

    Returns
    -------
    stages, transitions : pa.Table
        In the schemas of `contracts.schemas`, rows sorted by key. Rates come with 95% Wilson intervals
        and leave OPEN out of the denominator; they are null where the denominator is 0. Conversion
        probabilities are those of the absorbing chain, to 12 decimals.

    Raises
    ------
    ValueError
        If arrivals and departures differ at a node: these are no counts of whole journeys.
    """
    view = _View.of(counts, min_customers)
    edges = view.rows("moves")
    dwell = view.rows("dwell")
    ...
