"""What is known of converting, for every node of a slice: how probable, how sure, how far, how long.

The absorbing chain (`models.absorbing_chain`) of the slice's settled moves gives the probability; the
spread between groups of customers its interval (`models.chain_intervals`). Where two nodes tell more
than one on customers unseen (`models.chain_order`), the chain is over pairs of nodes and each node is
the mean of its pairs, and the result says so.

Expected steps and time are those of the walks that convert, up to the visit with the conversion: 0 at
a touchpoint that is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN, START, AbsorbingChain
from models.chain_intervals import GroupedMoves, node_probabilities
from models.chain_order import Turns, needs_second_order
from models.counts import sum_by
from models.distinct import ascending

__all__ = ["Moves", "NodeConversions", "node_conversions"]

_ENDS = (CONVERSION, DROP_OFF, OPEN)
_SPACE = "\x1f"
_MOST_STATES = 2_000
"""Pairs of nodes beyond which the chain stays with first order: dense linear algebra."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moves:
    """Settled moves of a slice, by group of customers; arrays of one shape, codes of `names`.

    `wait_s` holds the mean seconds waited before such a move.
    """

    source: Ints
    target: Ints
    group: Ints
    count: Ints
    wait_s: Floats


@dataclass(frozen=True)
class NodeConversions:
    """For each node: probability to convert with 95% interval, steps and seconds of those who do."""

    nodes: tuple[str, ...]
    order: int
    p: Floats
    low: Floats
    high: Floats
    steps: Floats
    time_s: Floats


def node_conversions(
    names: Sequence[str], moves: Moves, turns: tuple[Ints, Moves] | None = None
) -> NodeConversions:
    """Conversion probabilities of the nodes of a slice.

    Parameters
    ----------
    names : sequence of str
        What the codes stand for; START, CONVERSION, DROP_OFF and OPEN among them.
    moves : Moves
    turns : tuple of ndarray and Moves, optional
        The same moves by the node before, without those of START: codes of the node before, and
        the rest. If given, second order is used where it is needed.

    Returns
    -------
    NodeConversions
        START first, then all nodes in alphabetic order. NaN where a thing can't be known.
    """
    texts: NDArray = np.asarray(names, dtype=object)
    if turns is not None:
        before, rest = turns
        asked = Turns(before, rest.source, rest.target, rest.group, rest.count, len(names))
        pairs = len(ascending(before * len(names) + rest.source))
        if pairs <= _MOST_STATES and needs_second_order(asked):
            return _second_order(texts, moves, before, rest)
    return _estimate(texts, moves, list(names), order=1)


def _second_order(names: NDArray, moves: Moves, before: Ints, turns: Moves) -> NodeConversions:
    """Each state is a pair of nodes, written before it and node; START and the ends stay."""
    width = len(names)
    start = int(np.flatnonzero(names == START)[0])
    is_end = np.isin(names, _ENDS)
    entry = moves.source == start
    own = np.where(is_end[turns.target], turns.target, turns.source * width + turns.target + width)
    source = np.concatenate((moves.source[entry], before * width + turns.source + width))
    target = np.concatenate((start * width + moves.target[entry] + width, own))
    rest = (
        np.concatenate((getattr(moves, f)[entry], getattr(turns, f)))
        for f in ("group", "count", "wait_s")
    )
    used, place = np.unique(np.concatenate((source, target)), return_inverse=True)
    first, second = np.divmod(used - width, width)
    texts = [
        str(names[code]) if code < width else f"{names[a]}{_SPACE}{names[b]}"
        for code, a, b in zip(used.tolist(), first.tolist(), second.tolist(), strict=True)
    ]
    of_state = [
        str(names[code if code < width else b]) for code, b in zip(used, second, strict=True)
    ]
    n = len(source)
    return _estimate(np.array(texts, object), Moves(place[:n], place[n:], *rest), of_state, order=2)


def _estimate(names: NDArray, moves: Moves, node_of: Sequence[str], order: int) -> NodeConversions:
    """Solve the chain of states `names`; each belongs to the node `node_of`."""
    width = len(names)
    edge = moves.source * width + moves.target
    edges, count = sum_by(edge, moves.count)
    waited = np.bincount(np.searchsorted(edges, edge), moves.count * moves.wait_s, len(edges))
    source, target = np.divmod(edges, max(width, 1))
    chain = AbsorbingChain(names[source].tolist(), names[target].tolist(), count, waited)
    states = {name: i for i, name in enumerate((*chain.nodes, *_ENDS))}
    place = np.array([states.get(name, -1) for name in names], np.int64)
    grouped = GroupedMoves(place[moves.source], place[moves.target], moves.group, moves.count)
    belongs = dict(zip(names.tolist(), node_of, strict=True)) | {START: START}
    owners = [belongs[name] for name in chain.nodes]
    nodes = (START, *sorted(set(owners) - {START}))
    at = {name: i for i, name in enumerate(nodes)}
    node = np.array([at[name] for name in owners], np.int64)
    found = node_probabilities(chain, grouped, node)

    converting = np.nan_to_num(chain.conversion_p) * chain.departures
    total = np.bincount(node, converting, len(nodes))

    def mean(values: Floats) -> Floats:
        """Mean over the states of a node, weighted by who converts from them."""
        sums = np.bincount(node, np.nan_to_num(values) * converting, len(nodes))
        return np.divide(sums, total, out=np.full(len(nodes), np.nan), where=total > 0)

    return NodeConversions(
        nodes=nodes,
        order=order,
        p=found.p,
        low=found.low,
        high=found.high,
        steps=np.maximum(mean(chain.steps_to_conversion) - 1, 0),
        time_s=mean(chain.time_to_conversion),
    )
