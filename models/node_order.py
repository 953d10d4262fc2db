"""In which order nodes stand on a line, so that as few moves as possible lead back.

Journeys run in circles, so no order of their nodes has every move lead ahead. The best one has the fewest moves
back, each counted as often as it was made: the *linear ordering problem* [1]_, which is that of the minimum
feedback arc set with weights. What nodes mean does not matter, nor at which step of a journey they tend to be: a
purchase that is the first step of journeys that begin at a till, and the last of those through a checkout, stands
behind the checkout, for more moves lead from there to it than back.

Up to `EXACT` nodes the order is the best there is: the fewest moves back among the nodes that are left depend on
which are left, not on how those before them stand, so sets of nodes are solved from small to large [2]_. Of orders
that are equally good it is the first by the order given. More nodes are first ordered greedily: one that no move leads
into goes to the begin, one that none leaves to the end, else the one with most moves from it less those into it
goes next [3]_. Then one after another is put to where it saves most, until none saves anything [4]_. Without circles
that has no move back; else it is near the best, without a proof that it is.

References
----------
.. [1] R. Marti, G. Reinelt, *The Linear Ordering Problem*, Springer 2011.
.. [2] E. L. Lawler, "A comment on minimum feedback arc sets", IEEE Transactions on Circuit Theory 11
   (1964), 296-297.
.. [3] P. Eades, X. Lin, W. F. Smyth, "A fast and effective heuristic for the feedback arc set problem", Information
   Processing Letters 47 (1993), 319-323.
.. [4] T. Schiavinotto, T. Stuetzle, "The linear ordering problem: instances, search space analysis and
   algorithms", Journal of Mathematical Modelling and Algorithms 3 (2004), 367-402 (insertion).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["order_by_moves"]

EXACT = 14
"""Most nodes that are ordered by trying all sets."""

Ints = NDArray[np.int64]


def order_by_moves(nodes: Sequence[str], moves: Mapping[tuple[str, str], int]) -> list[str]:
    """Order nodes so that few moves lead from a later one to an earlier one.

    Parameters
    ----------
    nodes : sequence of str
        Distinct; where moves tell nothing, they keep this order.
    moves : mapping of (str, str) to int
        How often each move was made; moves from and to other nodes take no part.

    Examples
    --------
    Half of the customers buy at a till and come to the web later; the checkout still leads to the purchase.

    >>> moves = {("cart", "pay"): 40, ("pay", "buy"): 30, ("buy", "cart"): 25, ("pay", "cart"): 5}
    >>> order_by_moves(["buy", "cart", "pay"], moves)
    ['cart', 'pay', 'buy']
    """
    place = {name: i for i, name in enumerate(nodes)}
    weights = np.zeros((len(nodes), len(nodes)), np.int64)
    for (source, target), count in moves.items():
        if source in place and target in place and source != target:
            weights[place[source], place[target]] += count
    order = _best(weights) if len(nodes) <= EXACT else _improved(weights, _greedy(weights))
    return [nodes[i] for i in order]


def _best(weights: Ints) -> list[int]:
    """The best order; sets of nodes are numbers, a bit a node."""
    n = len(weights)
    sets = np.arange(1 << n)
    has = sets[:, None] >> np.arange(n) & 1
    # Moves into a node from those of a set: if it stands before them, these lead back.
    back = has @ weights
    least = np.zeros(1 << n, np.int64)
    size = has.sum(axis=1)
    for k in range(1, n + 1):
        of_size = sets[size == k]
        least[of_size] = _if_first(of_size, has, back, least).min(axis=1)
    order, left = [], np.array([(1 << n) - 1])
    for _ in range(n):
        order.append(int(_if_first(left, has, back, least)[0].argmin()))
        left = left ^ (1 << order[-1])
    return order


def _if_first(sets: Ints, has: Ints, back: Ints, least: Ints) -> Ints:
    """Fewest moves back within each set if a node of it stands first; shape (sets, nodes)."""
    others = sets[:, None] ^ (1 << np.arange(has.shape[1]))
    member = has[sets] == 1
    found = back[sets] + least[np.where(member, others, 0)]
    return np.where(member, found, np.iinfo(np.int64).max)


def _greedy(weights: Ints) -> list[int]:
    """Sources to the begin, sinks to the end; of the others the one with most moves from it less those into it."""
    left = list(range(len(weights)))
    begin: list[int] = []
    end: list[int] = []
    while left:
        among = weights[np.ix_(left, left)]
        into, out = among.sum(axis=0), among.sum(axis=1)
        if not into.all():
            begin.append(left.pop(int(into.argmin())))
        elif not out.all():
            end.append(left.pop(int(out.argmin())))
        else:
            begin.append(left.pop(int((out - into).argmax())))
    return begin + end[::-1]


def _improved(weights: Ints, order: list[int]) -> list[int]:
    """The order given, each node put to where it saves most until none saves anything."""
    saves = True
    while saves:
        saves = False
        for node in range(len(weights)):
            rest = [other for other in order if other != node]
            ahead = weights[node, rest] - weights[rest, node]
            # Moves back if it stands before the first, the second, ... of the rest, up to the same amount.
            costs = np.concatenate([[0], np.cumsum(ahead)])
            at = int(costs.argmin())
            if costs[at] < costs[order.index(node)]:
                order = [*rest[:at], node, *rest[at:]]
                saves = True
    return order
