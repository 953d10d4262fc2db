"""Journeys as walks over nodes, at each level of the map.

A *visit* is what a walk consists of. At the levels stage, touchpoint and channel every touchpoint is
one visit. At the level session a whole session is one: it is named by the channel it was entered by
and the stage it reached, such as ``email: purchase``: that of its conversion if it holds one, or
else the furthest in the declared order. How long people dwell is the time from a visit's begin to
the next one's.

**The way to the conversion.** A journey that has bought goes on: it asks for its order, opens a
ticket. What leads to a conversion can only be learnt before it, so a walk's *way* is its visits up
to and including the one with its first conversion.

**Settled.** Whether anybody comes back after a visit is known once the journey gap has passed
since, not before: until then, who went on is seen at once, who left is not seen at all. A visit older
than the gap at the watermark is settled; of its next move nothing is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN
from models.counts import codes, encode, starts
from models.customer_groups import customer_groups

__all__ = ["LEVELS", "OUTCOMES", "Visits", "Walks", "visits", "walk"]

LEVELS = ("stage", "touchpoint", "channel", "session")
"""What a node may be: a column of `touchpoints`, or a whole session."""

OUTCOMES = {"converted": CONVERSION, "lapsed": DROP_OFF, "open": OPEN}
"""Where a journey ends, by its outcome."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Walks:
    """Steps in order of journey and step. Journeys are numbered in that order, from 0."""

    steps: pa.Table
    """Sorted steps."""
    journeys: pa.Table
    """Row i is journey number i."""
    journey: Ints
    """Number of each step's journey, ascending; shape (n_steps,)."""
    end: Ints
    """Place of each journey's outcome in `OUTCOMES`; shape (n_journeys,)."""
    customer: Ints
    """Number of each journey's customer; shape (n_journeys,)."""
    group: Ints
    """Group of each journey's customer (`models.customer_groups`); shape (n_journeys,)."""
    converts: Bools
    """Whether a step is a conversion; shape (n_steps,)."""
    on_way: Bools
    """Whether no conversion of its journey lies before a step; shape (n_steps,)."""
    settled: Bools
    """Whether nothing of what follows a step can still be hidden; shape (n_steps,)."""


@dataclass(frozen=True)
class Visits:
    """The visits of all walks at one level, in order; arrays of shape (n_visits,)."""

    level: str
    node: Ints
    texts: pa.Array
    """Sorted names that the codes in `node` stand for."""
    journey: Ints
    last: Bools
    """Whether a visit is its journey's last."""
    dwell_s: NDArray[np.float64]
    """Seconds until the next visit; NaN at the last and where they are not known."""
    on_way: Bools
    arrives: Bools
    """Whether a visit holds a conversion."""
    settled: Bools
    of_step: Ints
    """Visit of each step; shape (n_steps,)."""


def walk(steps: pa.Table, journeys: pa.Table) -> Walks:
    """Put the steps of whole journeys in order.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step. Without `converts`, a converted journey converts at its
        last step; without `settled`, all is settled but what leads to OPEN.
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, customer_id, outcome.

    Raises
    ------
    ValueError
        If steps and journeys do not belong together, an outcome is unknown, or two steps of a
        journey share a number.
    """
    steps, journey, journeys = _in_order(steps, journeys)
    end = _outcome_codes(journeys)
    last = np.roll(starts(journey), -1)
    converts = last & (end[journey] == 0)
    if "converts" in steps.column_names:
        converts = pc.fill_null(steps["converts"], False).to_numpy()
    settled = ~(last & (end[journey] == list(OUTCOMES).index("open")))
    if "settled" in steps.column_names:
        settled &= steps["settled"].to_numpy()
    before = np.cumsum(converts) - converts
    before -= before[np.flatnonzero(starts(journey))][journey]
    customer, customers = encode(journeys["customer_id"])
    return Walks(
        steps=steps,
        journeys=journeys,
        journey=journey,
        end=end,
        customer=customer,
        group=customer_groups(customers)[customer],
        converts=converts,
        on_way=before == 0,
        settled=settled,
    )


def visits(walks: Walks, stages: Sequence[str] = ()) -> Iterator[Visits]:
    """Visits at every level that the steps have the columns of, in the order of `LEVELS`.

    Parameters
    ----------
    walks : Walks
        With some of the columns stage, touchpoint, channel; sessions need session_id, stage and
        channel.
    stages : sequence of str
        Stages in their declared order; others come before all of them.
    """
    columns = walks.steps.column_names
    dwell_s = walks.steps["dwell_s"].to_numpy().astype(np.float64)
    last = np.roll(starts(walks.journey), -1)
    for level in LEVELS:
        if level in columns:
            node, texts = codes(walks.steps[level])
            yield Visits(
                level=level,
                node=node,
                texts=texts,
                journey=walks.journey,
                last=last,
                dwell_s=np.where(last, np.nan, dwell_s),
                on_way=walks.on_way,
                arrives=walks.converts,
                settled=walks.settled,
                of_step=np.arange(len(node)),
            )
        elif level == "session" and {"session_id", "stage", "channel"} <= set(columns):
            yield _session_visits(walks, dwell_s, stages)


def _session_visits(walks: Walks, dwell_s: NDArray[np.float64], stages: Sequence[str]) -> Visits:
    session = encode(walks.steps["session_id"])[0]
    opens = starts(walks.journey) | starts(session)
    first = np.flatnonzero(opens)
    ends = np.append(first[1:], len(opens))[: len(first)] - 1
    channel, channels = codes(walks.steps["channel"])
    stage, names = codes(walks.steps["stage"])
    place = {name: i for i, name in enumerate(stages)}
    rank = np.array([place.get(name, -1) for name in names.to_pylist()], np.int64)
    order = np.argsort(rank, kind="stable")
    position = np.argsort(order, kind="stable")[stage] + len(names) * walks.converts
    reached = _reduced(np.maximum, position, first) % max(len(names), 1)
    pairs, node = np.unique(channel[first] * len(names) + order[reached], return_inverse=True)
    at_channel, at_stage = np.divmod(pairs, len(names))
    texts = pc.binary_join_element_wise(
        channels.take(pa.array(at_channel)), names.take(pa.array(at_stage)), ": "
    )
    journey = walks.journey[first]
    last = np.roll(starts(journey), -1)
    return Visits(
        level="session",
        node=node,
        texts=texts,
        journey=journey,
        last=last,
        dwell_s=np.where(last, np.nan, _reduced(np.add, dwell_s, first)),
        on_way=walks.on_way[first],
        arrives=_reduced(np.logical_or, walks.converts, first),
        settled=walks.settled[ends],
        of_step=np.cumsum(opens) - 1,
    )


def _reduced(how: np.ufunc, values: NDArray, first: Ints) -> NDArray:
    """Values of each stretch that begins at one of `first`, reduced to one."""
    return how.reduceat(values, first) if len(first) else values[:0]


def _in_order(steps: pa.Table, journeys: pa.Table) -> tuple[pa.Table, Ints, pa.Table]:
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


def _outcome_codes(journeys: pa.Table) -> Ints:
    """Place of each journey's outcome in `OUTCOMES`; ValueError if it has none."""
    outcomes = pa.array(list(OUTCOMES))
    found = pc.index_in(journeys["outcome"].cast(pa.string()), value_set=outcomes)
    if found.null_count:
        strange = journeys["outcome"].filter(pc.is_null(found)).unique().to_pylist()
        raise ValueError(f"outcomes {strange} are none of {list(OUTCOMES)}")
    return found.to_numpy().astype(np.int64)
