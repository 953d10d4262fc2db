"""How sure a conversion probability is: customers, not moves, are the sample.

With b the conversion probabilities of a chain (`models.absorbing_chain`), n[i] the departures from
state i and N the expected visits, a small change of the counts changes b[s] by the sum over states of

    N[s, i] / n[i] * D[i],     D[i] = sum over moves i -> j of count[i, j] (b[j] - b[i])

(b is 1 at CONVERSION, 0 at DROP_OFF). Over all customers D is 0; what one group of customers adds to
it (`models.customer_groups`) is that group's influence on b[s], and the influences' sum of squares
is the variance. This is the infinitesimal jackknife: what a bootstrap over the groups
converges to, without its dice.

A *node* may be made of several states: in the second-order chain a state is a node and the one before
it. The node's probability is the mean over its departures, and their distribution over the states is
a source of variance of its own.

The interval is Wilson's for the effective number of trials p (1 - p) / variance: it stays within 0..1
and is honest near its ends. The variance is taken with one more departure's worth of the largest
possible, so that three customers who agree do not pass for certainty.

References
----------
.. [1] B. Efron, *The Jackknife, the Bootstrap and Other Resampling Plans*, SIAM 1982, chapter 6.
.. [2] E. B. Wilson, "Probable inference", JASA 22 (1927), 209-212.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.absorbing_chain import AbsorbingChain
from models.customer_groups import GROUPS, t95
from models.intervals import wilson_interval

__all__ = ["GroupedMoves", "NodeProbabilities", "node_probabilities"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupedMoves:
    """Moves of a chain by group of customers, any order; arrays of one shape.

    Places are those of `AbsorbingChain.nodes`; CONVERSION, DROP_OFF and OPEN follow them.
    """

    source: Ints
    target: Ints
    group: Ints
    count: Ints


@dataclass(frozen=True)
class NodeProbabilities:
    """Conversion probability of each node and its 95% interval; NaN where it is not known."""

    p: Floats
    low: Floats
    high: Floats


def node_probabilities(
    chain: AbsorbingChain, moves: GroupedMoves, node: Ints | None = None
) -> NodeProbabilities:
    """Conversion probabilities of nodes, with intervals from the spread between customers.

    Parameters
    ----------
    chain : AbsorbingChain
        Of the sums of `moves` over the groups.
    moves : GroupedMoves
    node : ndarray of int, shape (n_states,), optional
        Node that each state of the chain belongs to, 0 to the number of nodes - 1; default: each
        state is a node.

    Returns
    -------
    NodeProbabilities
        Arrays of shape (n_nodes,).

    Examples
    --------
    Sixty customers arrive, one in each of sixty groups, and every third converts.

    >>> each = np.arange(60)
    >>> chain = AbsorbingChain(["START", "START"], ["CONVERSION", "DROP_OFF"], [20, 40])
    >>> moves = GroupedMoves(0 * each, np.where(each % 3 == 0, 1, 2), each, 0 * each + 1)
    >>> found = node_probabilities(chain, moves)
    >>> found.p.round(3).tolist(), found.low.round(3).tolist(), found.high.round(3).tolist()
    ([0.333], [0.224], [0.464])
    """
    states = len(chain.nodes)
    node = np.arange(states) if node is None else node
    nodes = int(node.max()) + 1
    known = np.append(chain.determined, [True, True, False])
    kept = known[moves.source] & known[moves.target]
    source, target, group, count = (
        a[kept] for a in (moves.source, moves.target, moves.group, moves.count)
    )
    b = np.nan_to_num(chain.conversion_p)
    departures = chain.departures
    of_node = np.bincount(node, departures, nodes)
    weight = np.divide(departures, of_node[node], out=np.zeros(states), where=departures > 0)
    p = np.bincount(node, weight * b, nodes)

    gained = np.append(b, [1.0, 0.0, 0.0])[target] - b[source]
    influence = _by_group(group, source, count * gained, states)
    per_departure = np.divide(1.0, departures, out=np.zeros(states), where=departures > 0)
    reach = np.zeros((nodes, states))
    np.add.at(reach, node, weight[:, None] * chain.expected_visits)
    reach *= per_departure
    change = influence @ reach.T
    mix = _by_group(group, node[source], count * (b[source] - p[node[source]]), nodes)
    change += np.divide(mix, of_node, out=np.zeros_like(mix), where=of_node > 0)

    groups = len(np.unique(group))
    factor = groups / max(groups - 1, 1)
    variance = factor * (change**2).sum(axis=0) + reach**2 @ (b * (1 - b))
    largest = p * (1 - p)
    trials = np.divide(largest, variance, out=of_node.copy(), where=variance * largest > 0)
    present = (_by_group(group, node[source], count, nodes) > 0).sum(axis=0)
    low, high = wilson_interval(p * trials, trials, t95(present))
    unknown = of_node == 0
    return NodeProbabilities(*(np.where(unknown, np.nan, a) for a in (p, low, high)))


def _by_group(group: Ints, place: Ints, values: Floats | Ints, places: int) -> Floats:
    """Sums by group and place, shape (GROUPS, places)."""
    sums = np.bincount(group * places + place, values, GROUPS * places)
    return sums.reshape(GROUPS, places).astype(np.float64)
