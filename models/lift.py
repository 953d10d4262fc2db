"""Lift: how much oftener those convert who come to a node, beside its credit.

A removal effect and every rule of sharing grow with how often a node is met; none can show one that
does nothing, or hurts. A ratio of conversion rates can:

- ``plain``: of paths that hold the node, against those that do not. It flatters whatever comes late or
  often: who is about to buy has simply met more.
- ``lift``: those who come to the node for the first time as their k-th touchpoint, against those who
  are as far, have not met it either, and go elsewhere; all k together by Mantel and Haenszel's ratio

      sum of a[k] n0[k] / N[k]   over   sum of c[k] n1[k] / N[k]

  with a of n1 converting who come to it and c of n0 who do not, N = n0 + n1. Both had the same number
  of touchpoints behind them, so having stayed longer is no excuse. What else made them go there still
  is: a lift is an association, never proof of a cause.

The interval deletes one group of customers (`models.customer_groups`) after the other, on the scale of
logarithms.

References
----------
.. [1] N. Mantel, W. Haenszel, "Statistical aspects of the analysis of data from retrospective studies
   of disease", JNCI 22 (1959), 719-748.
.. [2] K. J. Rothman, S. Greenland, T. L. Lash, *Modern Epidemiology*, 3rd edition, 2008, chapter 15.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.customer_groups import GROUPS, t95

__all__ = ["Lift", "Reached", "lift"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reached:
    """Paths by group of customers and position (or length); ended journeys only.

    `first` and `length` have shape (GROUPS, n_nodes, POSITIONS): paths that first come to a node at
    a position, and the same paths by their length. `all_length` has shape (GROUPS, POSITIONS).
    """

    first: Floats
    length: Floats
    all_length: Floats


@dataclass(frozen=True)
class Lift:
    """For each node; NaN where there is nothing to compare."""

    journeys: Floats
    plain: Floats
    lift: Floats
    low: Floats
    high: Floats


def lift(everybody: Reached, converted: Reached) -> Lift:
    """Plain and Mantel-Haenszel lift of each node, the latter with its 95% interval."""
    ratio = _mantel_haenszel(_total(everybody), _total(converted))[0]
    without = _mantel_haenszel(_deleted(everybody), _deleted(converted))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(without)
        spread = ((logs - logs.mean(axis=0)) ** 2).sum(axis=0)
        error = np.sqrt((GROUPS - 1) / GROUPS * spread)
        present = (everybody.first.sum(axis=2) > 0).sum(axis=0)
        wide = np.exp(t95(present) * error)
        low, high = ratio / wide, ratio * wide
    with_node, won = (r.first.sum(axis=(0, 2)) for r in (everybody, converted))
    journeys, conversions = (r.all_length.sum() for r in (everybody, converted))
    plain = _quotient(_quotient(won, with_node), _quotient(conversions - won, journeys - with_node))
    known = np.isfinite(error) & np.isfinite(ratio)
    return Lift(with_node, plain, ratio, *(np.where(known, end, np.nan) for end in (low, high)))


def _total(reached: Reached) -> Reached:
    return Reached(
        *(
            getattr(reached, name).sum(axis=0, keepdims=True)
            for name in ("first", "length", "all_length")
        )
    )


def _deleted(reached: Reached) -> Reached:
    """Sums without each of the groups in turn."""
    whole = _total(reached)
    return Reached(
        *(
            getattr(whole, name) - getattr(reached, name)
            for name in ("first", "length", "all_length")
        )
    )


def _mantel_haenszel(everybody: Reached, converted: Reached) -> Floats:
    """Ratio of each node, shape (n_groups, n_nodes)."""
    came, won = everybody.first, converted.first
    at_risk, at_risk_won = _at_risk(everybody), _at_risk(converted)
    weight = _quotient(np.ones_like(at_risk), at_risk, missing=0.0)
    exposed = (won * (at_risk - came) * weight).sum(axis=2)
    others = ((at_risk_won - won) * came * weight).sum(axis=2)
    return _quotient(exposed, others)


def _at_risk(reached: Reached) -> Floats:
    """Paths that get to each position without the node before it.

    They are those that are long enough, but for those that met the node before and are long enough.
    """
    long_enough = reached.all_length[:, None, ::-1].cumsum(axis=2)[:, :, ::-1]
    met_before = reached.first.cumsum(axis=2) - reached.first
    ended_before = reached.length.cumsum(axis=2) - reached.length
    return long_enough - (met_before - ended_before)


def _quotient(numerator: Floats, denominator: Floats, missing: float = np.nan) -> Floats:
    filled = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), missing)
    return np.divide(numerator, denominator, out=filled, where=np.asarray(denominator) > 0)
