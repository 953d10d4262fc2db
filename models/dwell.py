"""Dwell times as histograms that can be added: quantiles of a billion waits without keeping one.

A dwell time lasts from microseconds to years, and what we ask of it is a quantile within a
percent. So seconds are counted in logarithmic bins: bin i holds (g^(i-1), g^i] with g = (1 + e) /
(1 - e), and stands for 2 g^i / (g + 1), which is within the relative error e of everything in it.
Counts are integers: adding two histograms is exact and does not care for order, and the quantile
of the sum is the quantile of all waits together. This is the DDSketch with a fixed range and no
collapsing.

References
----------
.. [1] C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
   relative-error guarantees", PVLDB 12 (2019), 2195-2205.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BINS", "RELATIVE_ERROR", "bin_seconds", "bin_values", "grouped_quantiles"]

RELATIVE_ERROR = 0.01
"""Greatest relative error of a quantile."""

_SHORTEST_S = 1e-6
_LONGEST_S = 1e10
_LOG_BASE = np.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_FIRST = int(np.ceil(np.log(_SHORTEST_S) / _LOG_BASE))

BINS = int(np.ceil(np.log(_LONGEST_S) / _LOG_BASE)) - _FIRST + 2
"""Number of bins. Bin 0 is no wait at all: below a microsecond, the resolution of event times."""


def bin_seconds(seconds: ArrayLike) -> NDArray[np.int64]:
    """Find the bin of each dwell time.

    Parameters
    ----------
    seconds : array_like
        Finite and not negative. Beyond three centuries all are one bin.

    Returns
    -------
    ndarray of int64, same shape
        0 <= bin < BINS.

    Raises
    ------
    ValueError
        If a dwell time is negative or not a number.

    Examples
    --------
    >>> bin_seconds([0.0, 1.0, 60.0]).tolist()
    [0, 691, 896]
    """
    x = np.asarray(seconds, dtype=np.float64)
    if x.size and not x.min() >= 0:
        raise ValueError(f"dwell times are seconds of 0 and more; found {x.min()}")
    index = np.ceil(np.log(np.maximum(x, _SHORTEST_S)) / _LOG_BASE).astype(np.int64)
    return np.where(x < _SHORTEST_S, 0, np.clip(index - _FIRST + 1, 1, BINS - 1))


def bin_values(bins: ArrayLike) -> NDArray[np.float64]:
    """Give the seconds that a bin stands for.

    >>> bool(abs(bin_values(bin_seconds(60.0)) / 60 - 1) <= RELATIVE_ERROR)
    True
    """
    index = np.asarray(bins)
    base = np.exp(_LOG_BASE)
    return np.where(index == 0, 0.0, 2 * np.exp(_LOG_BASE * (index - 1 + _FIRST)) / (base + 1))


def grouped_quantiles(
    keys: ArrayLike, bins: ArrayLike, counts: ArrayLike, quantiles: Sequence[float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Quantiles of every group's histogram at once.

    Parameters
    ----------
    keys, bins, counts : array_like of int, shape (n,)
        A row says that `counts` waits of group `keys` fell into `bins`. Any order; rows that repeat
        a key and bin are added.
    quantiles : sequence of float
        Each in 0..1. The quantile q of n waits is the one of rank floor(q (n - 1)), counted from 0.

    Returns
    -------
    groups : ndarray of int64, shape (n_groups,)
        Distinct keys, ascending.
    seconds : ndarray, shape (n_groups, n_quantiles)
        Within `RELATIVE_ERROR` of the wait of that rank.

    Examples
    --------
    >>> groups, seconds = grouped_quantiles([7, 7, 3], bin_seconds([1, 60, 5]), [1, 2, 1], [0, 1])
    >>> groups.tolist(), seconds.round(1).tolist()
    ([3, 7], [[5.0, 5.0], [1.0, 59.7]])
    """
    key, index, count = (np.asarray(a, dtype=np.int64) for a in (keys, bins, counts))
    order = np.argsort(key * BINS + index, kind="stable")
    key, index, running = key[order], index[order], np.cumsum(count[order])
    groups, first = np.unique(key, return_index=True)
    before = np.concatenate(([0], running))[first]
    totals = np.diff(np.append(before, running[-1:]))
    ranks = np.floor(np.asarray(quantiles) * (totals[:, None] - 1)).astype(np.int64)
    found = np.searchsorted(running, before[:, None] + ranks, side="right")
    return groups, bin_values(index[found])
