"""How much of the way behind them people's next move depends on: one node, or two.

A first-order chain forgets how a node was reached. If that matters (a cart seen after an error is not
a cart seen after a product), its conversion probabilities are off, and a chain over *pairs* of nodes
in a row does better, at the price of many more probabilities to estimate. Which of the two to believe
is asked of customers that the chains have not seen:

- customers are dealt into halves, by their groups (`models.customer_groups`); each half is predicted
  from the other;
- a chain's loss is minus the mean log-probability it gave to the moves that were made. First order
  shares one prior move evenly among all ends; second order adds `PRIOR` prior moves in the
  proportions of the first, so that it falls back on it where a pair is rare;
- second order is needed if it loses less, by more than two standard errors of the difference (between
  groups of customers).

References
----------
.. [1] F. Chierichetti, R. Kumar, P. Raghavan, T. Sarlos, "Are web users really Markovian?", WWW 2012.
.. [2] P. Singer, D. Helic, B. Taraghi, M. Strohmaier, "Detecting memory and structure in human
   navigation patterns using Markov chain models of varying order", PLoS ONE 9 (2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.customer_groups import GROUPS

__all__ = ["Turns", "held_out_gain", "needs_second_order"]

PRIOR = 10.0
"""Moves in first-order proportions that a pair begins with."""
STANDARD_ERRORS = 2.0
"""Standard errors that the gain must exceed."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Turns:
    """Moves by the two nodes before them, by group of customers; arrays of one shape.

    Codes of nodes and ends are 0 to `width` - 1.
    """

    before: Ints
    source: Ints
    target: Ints
    group: Ints
    count: Ints
    width: int


def held_out_gain(turns: Turns) -> tuple[float, float, float]:
    """Log-likelihood that second order gains on customers unseen.

    Returns
    -------
    gain, error, loss : float
        Gain in nats a move, its standard error, and the loss of first order. NaN without moves in
        both halves.

    Examples
    --------
    Whoever came from a goes to c, whoever came from b to d: two nodes tell all, one nothing.

    >>> each = np.arange(64)
    >>> odd = each % 4 >= 2
    >>> turns = Turns(odd * 1, 0 * each + 2, 3 + odd, each, 0 * each + 100, 5)
    >>> gain, error, loss = held_out_gain(turns)
    >>> round(gain, 2), round(loss, 2)
    (0.69, 0.69)
    """
    gains, losses, moves = np.zeros((3, GROUPS))
    half = turns.group % 2
    for unseen in (0, 1):
        learnt, asked = half != unseen, half == unseen
        if not (learnt.any() and asked.any()):
            return np.nan, np.nan, np.nan
        first, second = _log_p(turns, learnt, asked)
        count, group = turns.count[asked], turns.group[asked]
        gains += np.bincount(group, count * (second - first), GROUPS)
        losses -= np.bincount(group, count * first, GROUPS)
        moves += np.bincount(group, count, GROUPS)
    total = moves.sum()
    gain = gains.sum() / total
    spread = (gains - gain * moves)[moves > 0]
    error = np.sqrt(len(spread) / max(len(spread) - 1, 1) * (spread**2).sum()) / total
    return float(gain), float(error), float(losses.sum() / total)


def needs_second_order(turns: Turns) -> bool:
    """Whether the next move depends on two nodes, so that it shows on customers unseen."""
    gain, error, _ = held_out_gain(turns)
    return bool(gain > STANDARD_ERRORS * error)


def _log_p(
    turns: Turns, learnt: NDArray[np.bool_], asked: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Log-probabilities of the moves asked for, by first and second order, from those learnt."""
    width = turns.width
    pair = turns.before * width + turns.source
    count = turns.count[learnt].astype(np.float64)
    ends = max(len(np.unique(turns.target)), 1)

    def known(keys: Ints) -> Floats:
        """Sum of the learnt counts with the key of each move asked for."""
        found, place = np.unique(keys[learnt], return_inverse=True)
        sums = np.append(np.bincount(place, count, len(found)), 0.0)
        at = np.searchsorted(found, keys[asked])
        at[at == len(found)] = 0
        return np.where(found[at] == keys[asked], sums[at], 0.0)

    first = (known(turns.source * width + turns.target) + 1 / ends) / (known(turns.source) + 1)
    second = (known(pair * width + turns.target) + PRIOR * first) / (known(pair) + PRIOR)
    return np.log(first), np.log(second)
