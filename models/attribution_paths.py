"""Paths to conversion, and how much of a conversion each of their touchpoints is credited with.

A *path* is what a journey did before its first conversion: the conversion's own touchpoint and what
follows it (delivery, service) earn nothing, or else the checkout page would earn everything. Who
converts at once came by ``(direct)``. Lost journeys count to their end. Declared beforehand:

- a **level**: touchpoint, channel, or an attribute such as campaign, whose path is the touchpoints
  that have one;
- a **look-back**: what lies longer before the conversion (before the last touchpoint, where there is
  none) is left out;
- a **transform** of repeats: ``unique`` leaves the path as it is, ``exposure`` makes repeats in a row
  one, ``first`` keeps the first of each node, ``frequency`` does so too and makes "seen twice" another
  state of the chain than "seen once".

Each conversion, and its value, is shared out over its path by

- ``first``, ``last``: all to the first or the last;
- ``linear``: in equal parts to all;
- ``position``: 40% to the first, 40% to the last, 20% to those between (halves where there are two);
- ``time_decay``: half as much for each half-life before the conversion;
- ``shapley``: in equal parts to the *distinct* nodes. This is the Shapley value of the game in which
  a coalition of nodes earns the conversions of the paths it holds entirely [1]_.

The removal effect is not a share of one path; its chain's moves are counted here, too. All counts are
integers that can be added (`models.counts`), `bin` the group of customers (`models.customer_groups`):

==================  =============================================================================
measure             what `count` holds
==================  =============================================================================
first ... shapley   credit of source_node in billionths of a conversion
..._value           the same of the journeys' value, in ten-thousandths
moves               moves of the paths, from START to CONVERSION or DROP_OFF; none to OPEN
reached             ended, settled journeys whose path first comes to source_node at a position,
                    `bin` = group * POSITIONS + position - 1; at START: by length of path
reached_length      the same by length of path
..._converted       those of them that converted
==================  =============================================================================

References
----------
.. [1] K. Zhao, S. H. Mahboobi, S. R. Bagheri, "Shapley value methods for attribution modeling in
   online advertising", arXiv 1804.05327 (2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.absorbing_chain import START
from models.counts import counts_rows, encode, join_counts, starts
from models.customer_groups import GROUPS
from models.journey_walks import OUTCOMES, Walks, walk
from models.money import to_units

__all__ = ["CREDIT_UNIT", "DIRECT", "POSITIONS", "SEEN", "Transform", "count_paths", "path_shares"]

DIRECT = "(direct)"
"""Where a journey came from that converted with its first touchpoint."""
CREDIT_UNIT = 1_000_000_000
"""Credit is added in billionths of a conversion."""
POSITIONS = 20
"""Positions that are told apart; what comes later is at the last of them."""
SEEN = "\x1f"
"""Stands between a node and how often it was seen, in the states of ``frequency``."""

Transform = Literal["unique", "exposure", "first", "frequency"]

_MOST_SEEN = 9
_ENDS = list(OUTCOMES.values())
_CONVERTED, _OPEN = list(OUTCOMES).index("converted"), list(OUTCOMES).index("open")
_EDGE_SHARE = 0.4

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Paths:
    """Paths at one level: a row for each touchpoint kept, and one for each ``(direct)`` journey."""

    journey: Ints
    node: Ints
    texts: pa.Array
    state: Ints
    states: pa.Array
    age_s: Floats
    """Seconds before the conversion, or before the last touchpoint."""


def count_paths(
    steps: pa.Table,
    journeys: pa.Table,
    levels: Sequence[str] = ("touchpoint", "channel"),
    *,
    transform: Transform = "unique",
    lookback: timedelta | None = None,
    half_life: timedelta = timedelta(days=7),
) -> pa.Table:
    """Count the paths to conversion of whole journeys of whole customers.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step, event_time, converts, a text column for each level, and
        settled if known (`models.journey_walks.walk`).
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, customer_id, outcome (converted,
        lapsed, open) and value (decimal; null is 0).
    levels : sequence of str
        Columns of `steps` to credit; null is no touchpoint of the level.
    transform, lookback, half_life
        See above.

    Returns
    -------
    pa.Table of `models.counts.COUNTS_SCHEMA`
        Each key once, in no order; to be added to those of other customers by
        `models.counts.merge_counts`.

    Raises
    ------
    ValueError
        If steps and journeys do not belong together, or a journey's outcome is not what its steps
        say.
    """
    needed = ["journey_id", "step", "event_time", "converts", *levels]
    optional = [name for name in ("settled",) if name in steps.column_names]
    walks = walk(steps.select(list(dict.fromkeys([*needed, *optional]))), journeys)
    n = len(walks.end)
    if not np.array_equal(
        np.bincount(walks.journey, walks.converts, n) > 0, walks.end == _CONVERTED
    ):
        raise ValueError("outcome must be 'converted' for journeys with a conversion, no others")
    time = walks.steps["event_time"].cast(pa.int64()).to_numpy()
    begins = np.flatnonzero(starts(walks.journey))
    way = np.bincount(walks.journey, walks.on_way, n).astype(np.int64)
    anchor = time[begins + way - 1]
    age_s = (anchor[walks.journey] - time) / 1e6
    within = walks.on_way & ~walks.converts
    if lookback is not None:
        within &= age_s <= lookback.total_seconds()
    value = to_units(walks.journeys["value"].cast(pa.decimal128(18, 4)))
    parts: list[pa.Table] = []
    for level in levels:
        paths = _paths(walks, level, within, age_s, transform)
        parts += _credits(level, walks, paths, value, half_life.total_seconds())
        parts.append(_moves(level, walks, paths))
        parts += _positions(level, walks, paths, begins)
    return join_counts(parts)


def _paths(
    walks: Walks, level: str, within: NDArray[np.bool_], age_s: Floats, transform: Transform
) -> _Paths:
    node, texts = encode(walks.steps[level])
    n = len(walks.end)
    kept = np.flatnonzero(within & (node >= 0))
    owner = walks.journey[kept]
    if transform == "exposure":
        kept = kept[starts(owner) | starts(node[kept])]
    elif transform != "unique":
        _, first, times = np.unique(
            owner * len(texts) + node[kept], return_index=True, return_counts=True
        )
        order = np.argsort(first)
        kept, times = kept[first[order]], times[order]
    owner = walks.journey[kept]
    direct = np.flatnonzero(np.bincount(owner, minlength=n) == 0)
    journey = np.concatenate((owner, direct))
    order = np.argsort(journey, kind="stable")
    texts = pa.concat_arrays([texts, pa.array([DIRECT])])
    node = np.concatenate((node[kept], np.full(len(direct), len(texts) - 1)))[order]
    state, states = node, texts
    if transform == "frequency":
        often = np.concatenate((np.minimum(times, _MOST_SEEN), np.ones(len(direct), np.int64)))
        pairs, state = np.unique(node * (_MOST_SEEN + 1) + often[order], return_inverse=True)
        at, times = np.divmod(pairs, _MOST_SEEN + 1)
        numbers = pa.array(times.astype(str), pa.string())
        states = pc.binary_join_element_wise(texts.take(pa.array(at)), numbers, SEEN)
    begins = np.flatnonzero(starts(walks.journey))
    row = np.concatenate((kept, begins[direct]))[order]
    return _Paths(journey[order], node, texts, state, states, age_s[row])


def path_shares(journey: Ints, node: Ints, age_s: Floats, half_life_s: float) -> dict[str, Floats]:
    """Share of its path's conversion for each touchpoint, by every model.

    Parameters
    ----------
    journey, node : ndarray of int, shape (n,)
        Paths one after the other, in order.
    age_s : ndarray, shape (n,)
        Seconds before the conversion.
    half_life_s : float

    Returns
    -------
    dict of ndarray, shape (n,)
        Sums to 1 over each path.

    Examples
    --------
    >>> shares = path_shares(np.zeros(3, int), np.array([5, 6, 5]), np.array([20, 10, 0.0]), 10)
    >>> {model: share.round(3).tolist() for model, share in shares.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'first': [1.0, 0.0, 0.0], 'last': [0.0, 0.0, 1.0], 'linear': [0.333, 0.333, 0.333],
     'position': [0.4, 0.2, 0.4], 'time_decay': [0.143, 0.286, 0.571], 'shapley': [0.5, 0.5, 0.0]}
    """
    first = starts(journey)
    at = np.flatnonzero(first)
    last = np.roll(first, -1)
    number = np.cumsum(first) - 1
    length = np.diff(at, append=len(journey))[number]
    middle = (1 - 2 * _EDGE_SHARE) / np.maximum(length - 2, 1)
    position = np.where(first | last, _EDGE_SHARE, middle)
    position = np.where(length <= 2, 1 / length, position)
    least = np.minimum.reduceat(age_s, at)[number] if len(at) else age_s
    decay = np.exp2(-(age_s - least) / half_life_s)
    decay /= np.add.reduceat(decay, at)[number] if len(at) else 1
    _, new = np.unique(number * (node.max(initial=0) + 1) + node, return_index=True)
    distinct = np.zeros(len(node))
    distinct[new] = 1
    distinct /= np.add.reduceat(distinct, at)[number] if len(at) else 1
    return {
        "first": first * 1.0,
        "last": last * 1.0,
        "linear": 1 / length,
        "position": position,
        "time_decay": decay,
        "shapley": distinct,
    }


def _credits(
    level: str, walks: Walks, paths: _Paths, value: Ints, half_life_s: float
) -> Iterator[pa.Table]:
    """Shares in whole units; what rounding leaves over goes to the last touchpoint of the path."""
    won = np.flatnonzero(walks.end[paths.journey] == _CONVERTED)
    journey, node = paths.journey[won], paths.node[won]
    last = np.flatnonzero(np.roll(starts(journey), -1))
    at = np.flatnonzero(starts(journey))
    key = node * GROUPS + walks.group[journey]
    order = np.argsort(key, kind="stable")
    place = np.flatnonzero(starts(key[order]))
    source, group = np.divmod(key[order][place], GROUPS)
    whole = {"": np.full(len(journey), CREDIT_UNIT), "_value": value[journey]}
    for model, share in path_shares(journey, node, paths.age_s[won], half_life_s).items():
        for suffix, total in whole.items():
            units = np.rint(share * total).astype(np.int64)
            if len(at):
                units[last] += total[last] - np.add.reduceat(units, at)
                sums = np.add.reduceat(units[order], place)
            else:
                sums = units
            yield counts_rows(
                level, "all", model + suffix, sums, source=(source, paths.texts), bins=group
            )


def _moves(level: str, walks: Walks, paths: _Paths) -> pa.Table:
    """Moves of the chain, from START to CONVERSION or DROP_OFF; those to OPEN say nothing."""
    texts = pa.concat_arrays([paths.states, pa.array([START, *_ENDS])])
    start, width = len(paths.states), len(texts)
    opens = starts(paths.journey)
    last = np.roll(opens, -1)
    target = np.roll(paths.state, -1)
    target[last] = start + 1 + walks.end[paths.journey[last]]
    source = np.concatenate((paths.state, np.full(opens.sum(), start)))
    target = np.concatenate((target, paths.state[opens]))
    group = walks.group[np.concatenate((paths.journey, paths.journey[opens]))]
    known = target != start + 1 + _OPEN
    key = (source * width + target) * GROUPS + group
    found, count = np.unique(key[known], return_counts=True)
    edge, bins = np.divmod(found, GROUPS)
    ends = np.divmod(edge, width)
    return counts_rows(
        level, "all", "moves", count, source=(ends[0], texts), target=(ends[1], texts), bins=bins
    )


def _positions(level: str, walks: Walks, paths: _Paths, begins: Ints) -> Iterator[pa.Table]:
    """Where paths first come to each node, and how long they are, of journeys that could end.

    Who converts at once was never at risk, so ``(direct)`` has no place here.
    """
    texts = pa.concat_arrays([paths.texts, pa.array([START])])
    at = np.flatnonzero(starts(paths.journey))
    length = np.diff(at, append=len(paths.journey))
    position = np.arange(len(paths.journey)) - np.repeat(at, length)
    _, new = np.unique(paths.journey * len(texts) + paths.node, return_index=True)
    ended = walks.settled[begins] & (walks.end != _OPEN)
    ended &= paths.node[at] != len(paths.texts) - 1
    new = new[ended[paths.journey[new]]]
    alone = np.flatnonzero(ended)
    journey = np.concatenate((paths.journey[new], alone))
    node = np.concatenate((paths.node[new], np.full(len(alone), len(texts) - 1)))
    reached = np.concatenate((position[new], length[alone] - 1))
    converted = walks.end[journey] == _CONVERTED
    for measure, place in (("reached", reached), ("reached_length", length[journey] - 1)):
        bins = walks.group[journey] * POSITIONS + np.minimum(place, POSITIONS - 1)
        key = node * (GROUPS * POSITIONS) + bins
        for suffix, chosen in (("", slice(None)), ("_converted", converted)):
            found, count = np.unique(key[chosen], return_counts=True)
            source, bins_ = np.divmod(found, GROUPS * POSITIONS)
            yield counts_rows(
                level, "all", measure + suffix, count, source=(source, texts), bins=bins_
            )
