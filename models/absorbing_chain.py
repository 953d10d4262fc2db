"""The absorbing Markov chain behind the journeys: where walks end, and what each node is worth.

Read the moves that journeys made as a first-order chain: from a node, each next node with the
share of moves that went there. Nodes are transient; CONVERSION and DROP_OFF absorb. With Q the
moves among START and the nodes, r those into CONVERSION, and N = (I - Q)^-1, the expected visits
to j of a walk from i being N[i, j]:

- probability to convert from each node:  b = N r
- expected moves until the end:           N 1
- of those who convert, expected moves until CONVERSION:  (N b) / b, and expected time: (N w) / b with
  w[i] = sum over j of P[i, j] b[j] wait[i, j], the waits being means by move
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
from typing import Any

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
    wait_s : array_like, shape (n_edges,), optional
        Seconds waited before all these moves together, for `time_to_conversion`.

    Attributes
    ----------
    nodes : tuple of str
        START, then all nodes in alphabetic order. Results are in this order.
    determined : ndarray of bool, shape (n_nodes,)
        Whether an end was ever reached from the node.
    departures : ndarray, shape (n_nodes,)
        Moves from each node that count: none into OPEN or into an undetermined node.

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

    def __init__(
        self,
        source: Sequence[str],
        target: Sequence[str],
        count: ArrayLike,
        wait_s: ArrayLike | None = None,
    ) -> None:
        ends = {CONVERSION, DROP_OFF, OPEN}
        if START in set(target) or ends & set(source):
            raise ValueError("a move can't enter START or leave CONVERSION, DROP_OFF or OPEN")
        inner = sorted({*source, *target} - ends - {START})
        self.nodes = (START, *inner)
        places = {name: i for i, name in enumerate((*self.nodes, CONVERSION, DROP_OFF, OPEN))}
        rows = np.array([places[name] for name in source], dtype=np.int64)
        columns = np.array([places[name] for name in target], dtype=np.int64)
        n = len(self.nodes)
        moves = _sums(rows, columns, count, (n, n + 3))
        self.determined = _leads_to_an_end(moves[:, : n + 2])
        moves = moves[:, : n + 2] * self.determined[:, None]
        moves[:, :n] *= self.determined
        self.departures = moves.sum(axis=1)
        shares = _ratio(moves, self.departures[:, None])
        self._among, self._converting = shares[:, :n], shares[:, n]
        waits = _sums(rows, columns, 0 if wait_s is None else wait_s, (n, n + 3))[:, : n + 1]
        self._waited = _ratio(waits * (moves[:, : n + 1] > 0), self.departures[:, None])

    @cached_property
    def expected_visits(self) -> Floats:
        """N: expected visits to each node (column) of a walk from each (row), its own included."""
        return np.linalg.inv(np.eye(len(self.nodes)) - self._among).astype(np.float64, copy=False)

    @cached_property
    def conversion_p(self) -> Floats:
        """P(conversion) from each node, shape (n_nodes,); NaN where only OPEN was ever reached."""
        return np.where(self.determined, np.clip(self._solved(self._converting), 0, 1), np.nan)

    @cached_property
    def expected_steps(self) -> Floats:
        """Expected moves from each node until the journey's end, the last one included."""
        return np.where(self.determined, self._solved(np.ones(len(self.nodes))), np.nan)

    @cached_property
    def steps_to_conversion(self) -> Floats:
        """Expected moves from each node until CONVERSION, of those who convert; NaN if none do."""
        p = self._solved(self._converting)
        return _ratio(self._solved(p), np.where(self.determined & (p > 0), p, 0), missing=np.nan)

    @cached_property
    def time_to_conversion(self) -> Floats:
        """Expected seconds from each node until CONVERSION, of those who convert; NaN if none do.

        A wait is taken to depend on its move alone.
        """
        p = self._solved(self._converting)
        waited = self._waited @ np.append(p, 1.0)
        return _ratio(self._solved(waited), np.where(self.determined & (p > 0), p, 0), np.nan)

    @cached_property
    def removal_effect(self) -> Floats:
        """Share of conversions lost if every arrival at the node ended in DROP_OFF; 0 for START."""
        p = self.expected_visits @ self._converting
        if not p[0] > 0:
            return np.zeros(len(self.nodes))
        effect = self.expected_visits[0] * p / (np.diagonal(self.expected_visits) * p[0])
        effect[0] = 0.0
        return np.clip(effect, 0.0, 1.0)

    def removal_effects(self, sets: Sequence[Sequence[int]]) -> Floats:
        """Removal effect of each set of nodes, given by their places, removed together."""
        p = self.expected_visits @ self._converting
        if not p[0] > 0:
            return np.zeros(len(sets))
        visits = self.expected_visits
        lost = [visits[0, j] @ np.linalg.solve(visits[np.ix_(j, j)], p[j]) for j in map(list, sets)]
        return np.clip(np.array(lost) / p[0], 0.0, 1.0)

    def _solved(self, right: Floats) -> Floats:
        leaving = np.eye(len(self.nodes)) - self._among
        return np.linalg.solve(leaving, right).astype(np.float64, copy=False)


def _sums(rows: Any, columns: Any, values: ArrayLike, shape: tuple[int, int]) -> Floats:
    """A matrix of the values added at their places."""
    sums = np.zeros(shape)
    np.add.at(sums, (rows, columns), np.asarray(values, dtype=np.float64))
    return sums


def _ratio(numerator: Floats, denominator: Floats, missing: float = 0.0) -> Floats:
    """Quotients; `missing` where the denominator is 0."""
    filled = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), missing)
    return np.divide(numerator, denominator, out=filled, where=denominator > 0)


def _leads_to_an_end(moves: Floats) -> NDArray[np.bool_]:
    """Which nodes have a path to CONVERSION or DROP_OFF, the last two columns of `moves`."""
    among, reached = moves[:, :-2] > 0, moves[:, -2:].sum(axis=1) > 0
    front = reached
    while front.any():
        front = among[:, front].any(axis=1) & ~reached
        reached = reached | front
    return reached
