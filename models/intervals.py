"""Intervals and the control of many tests: how sure a published number is.

A rate without an interval invites people to act on noise, and a hundred tests at 5% invite five
false findings. Three classic answers, each on whole columns:

- `wilson_interval` for a share k / n. It inverts the score test, so it stays within 0..1 and
  keeps its coverage for small n and extreme shares, where the textbook interval p ± 1.96 s fails.
- `mean_interval` for the mean of answers between 0 and 1. It is Wilson's interval for an
  *effective* number of answers: n times the ratio of the largest variance such a mean allows, m
  (1 - m), to the variance found. Yes/no answers give Wilson's interval exactly; answers that
  agree give a narrower one.
- `benjamini_hochberg`: the least false discovery rate at which each of many tests is still a
  finding.

References
----------
.. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
   JASA 22 (1927), 209-212.
.. [2] L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a binomial proportion",
   Statistical Science 16 (2001), 101-133.
.. [3] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995), 289-300.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Z95", "benjamini_hochberg", "mean_interval", "wilson_interval"]

Z95 = 1.959963984540054
"""The standard normal's 97.5% quantile: two-sided 95% intervals."""

Floats = NDArray[np.float64]


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, z: ArrayLike = Z95
) -> tuple[Floats, Floats]:
    """Wilson's score interval of shares.

    Parameters
    ----------
    successes, trials : array_like of the same shape
        0 <= successes <= trials. Fractions are allowed (effective counts).
    z : float or array_like of that shape
        Half-width in standard errors.

    Returns
    -------
    low, high : ndarray
        Ends within 0..1; NaN where there was no trial.

    Examples
    --------
    >>> low, high = wilson_interval([8, 0], [10, 0])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.4902, nan], [0.9433, nan])
    """
    n, z = np.asarray(trials, dtype=np.float64), np.asarray(z, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.asarray(successes, dtype=np.float64) / n
        weight = z * z / n
        centre = (p + weight / 2) / (1 + weight)
        half = np.sqrt(weight * (p * (1 - p) + weight / 4)) / (1 + weight)
    low = np.where(p == 0, 0.0, np.clip(centre - half, 0.0, 1.0))
    high = np.where(p == 1, 1.0, np.clip(centre + half, 0.0, 1.0))
    return low, high


def mean_interval(
    answers: ArrayLike, total: ArrayLike, squares: ArrayLike, z: float = Z95
) -> tuple[Floats, Floats, Floats]:
    """Mean and interval of answers between 0 and 1.

    The variance is estimated with one extra answer's worth of the largest variance possible, so
    that two equal answers do not pass for certainty.

    Parameters
    ----------
    answers, total, squares : array_like of the same shape
        Number of answers, their sum, and the sum of their squares.
    z : float
        Half-width in standard errors.

    Returns
    -------
    mean, low, high : ndarray
        NaN where nobody answered: silence is not an opinion.

    Examples
    --------
    >>> [float(x.round(4)) for x in mean_interval(10, 8, 8)]
    [0.8, 0.4902, 0.9433]
    """
    n = np.asarray(answers, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.asarray(total, dtype=np.float64) / n
        largest = mean * (1 - mean)
        spread = np.clip(np.asarray(squares, dtype=np.float64) - n * mean**2, 0.0, n * largest)
        ratio = np.where(largest > 0, largest * (n + 1) / (spread + largest), 1.0)
    low, high = wilson_interval(mean * n * ratio, n * ratio, z)
    return mean, low, high


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """q-values: the least false discovery rate at which a test is a finding.

    Parameters
    ----------
    p_values : array_like
        Of all tests, shape (n_tests,).

    Returns
    -------
    ndarray of shape (n_tests,)
        In the order given; never below the p-value.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")[::-1]
    scaled = p[order] * (p.size / np.arange(p.size, 0, -1))
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(np.minimum(scaled, 1.0))
    return q
