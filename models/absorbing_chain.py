"""The absorbing Markov chain behind the journeys: where walks end, and what each node is worth.

Read the moves that journeys made as a first-order chain: from a node, each next node with the
share of moves that went there. Nodes are transient; CONVERSION and DROP_OFF absorb. With Q the
moves among START and the nodes, r those into CONVERSION, and N = (I - Q)^-1, the expected visits
to j of a walk from i being N[i, j]:

- probability to convert from each node:  b = N r
- expected moves until the end:           N 1
- removal effect of node j, every arrival at j sent to DROP_OFF:

      RE[j] = 1 - P(conversion without j) / P(conversion) = N[START, j] b[j] / (N[j, j] b[START])

  N[START, j] / N[j, j] is the chance ever to reach j, so the effect is the share of all conversions
  that come by way of j. It tells what goes together with converting, not what causes it.

**Journeys under way.** A move to OPEN says that the end is not known yet. Such moves are left out
(the journey counts up to there, as a censored life does in a life table). A node from which no
end was ever reached, only OPEN, is *undetermined*: its probability is NaN, never 0, its removal
effect is 0, and moves into it are left out like moves to OPEN. What remains reaches an end from
everywhere, so I - Q has an inverse.

**No conversion.** A node that leads only to DROP_OFF has probability 0 and effect 0. If nobody at
all converts, every effect is 0: nothing can be lost.

References
----------
.. [1] J. G. Kemeny, J. L. Snell, *Finite Markov Chains*, 1960, chapter 3.
.. [2] E. Anderl, I. Becker, F. von Wangenheim, J. H. Schumann, "Mapping the customer journey:
   lessons learned from graph-based online attribution modeling", IJRM 33 (2016), 457-474.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CONVERSION", "DROP_OFF", "OPEN", "START", "AbsorbingChain"]

START, CONVERSION, DROP_OFF, OPEN = "START", "CONVERSION", "DROP_OFF", "OPEN"

Floats = NDArray[np.float64]


class AbsorbingChain:
    """The chain of counted moves.

    Parameters
    ----------
    source, target : sequence of str, shape (n_edges,)
        Ends of each edge; START only as a source, CONVERSION, DROP_OFF and OPEN only as targets.
    count : array_like, shape (n_edges,)
        Moves along it, 0 and more; edges that repeat are added.

    Attributes
    ----------
    nodes : tuple of str
        START, then all nodes in alphabetic order. Results are in this order.

    Raises
    ------
    ValueError
        If START is entered or an end is left.

    Examples
    --------
    Two journeys google -> converted, one mailing -> converted, one google, mailing -> converted,
    one google -> dropped (DESIGN: credits 2.4 and 1.6 of 4 conversions).

    >>> chain = AbsorbingChain(
    ...     ["START", "START", "google", "google", "google", "mailing"],
    ...     ["google", "mailing", "CONVERSION", "mailing", "DROP_OFF", "CONVERSION"],
    ...     [4, 1, 2, 1, 1, 2],
    ... )
    >>> chain.nodes, chain.conversion_p.round(12).tolist()
    (('START', 'google', 'mailing'), [0.8, 0.75, 1.0])
    >>> chain.removal_effect.round(12).tolist()
    [0.0, 0.75, 0.5]
    """

    def __init__(self, source: Sequence[str], target: Sequence[str], count: ArrayLike) -> None:
        ends = {CONVERSION, DROP_OFF, OPEN}
        if START in set(target) or ends & set(source):
            raise ValueError("a move can't enter START or leave CONVERSION, DROP_OFF or OPEN")
        inner = sorted({*source, *target} - ends - {START})
        self.nodes = (START, *inner)
        places = {name: i for i, name in enumerate((*self.nodes, CONVERSION, DROP_OFF, OPEN))}
        rows = np.array([places[name] for name in source], dtype=np.int64)
        columns = np.array([places[name] for name in target], dtype=np.int64)
        n = len(self.nodes)
        moves = np.zeros((n, n + 3))
        np.add.at(moves, (rows, columns), np.asarray(count, dtype=np.float64))
        self.determined = _leads_to_an_end(moves[:, : n + 2])
        moves = moves[:, : n + 2] * self.determined[:, None]
        moves[:, :n] *= self.determined
        departures = moves.sum(axis=1, keepdims=True)
        shares = np.divide(moves, departures, out=np.zeros_like(moves), where=departures > 0)
        self._among, self._converting = shares[:, :n], shares[:, n]

    @cached_property
    def conversion_p(self) -> Floats:
        """P(conversion) from each node, shape (n_nodes,); NaN where only OPEN was ever reached."""
        p = np.linalg.solve(np.eye(len(self.nodes)) - self._among, self._converting)
        return np.where(self.determined, np.clip(p, 0.0, 1.0), np.nan)

    @cached_property
    def expected_steps(self) -> Floats:
        """Expected moves from each node until the journey's end, the last one included."""
        ones = np.ones(len(self.nodes))
        steps = np.linalg.solve(np.eye(len(self.nodes)) - self._among, ones)
        return np.where(self.determined, steps, np.nan)

    @cached_property
    def removal_effect(self) -> Floats:
        """Share of conversions lost if every arrival at the node ended in DROP_OFF; 0 for START."""
        visits = np.linalg.inv(np.eye(len(self.nodes)) - self._among)
        p = visits @ self._converting
        if not p[0] > 0:
            return np.zeros(len(self.nodes))
        effect = visits[0] * p / (np.diagonal(visits) * p[0])
        effect[0] = 0.0
        return np.clip(effect, 0.0, 1.0)


def _leads_to_an_end(moves: Floats) -> NDArray[np.bool_]:
    """Which nodes have a path to CONVERSION or DROP_OFF, the last two columns of `moves`."""
    among, reached = moves[:, :-2] > 0, moves[:, -2:].sum(axis=1) > 0
    front = reached
    while front.any():
        front = among[:, front].any(axis=1) & ~reached
        reached = reached | front
    return reached
