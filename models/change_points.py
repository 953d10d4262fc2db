"""Change points: the days on which a rate was worse, found among all stretches of days.

An incident begins on a day and ends on a day, and nobody says which. So every stretch of days is a
hypothesis: inside it the rate is higher than outside. `scan` tests a net of stretches (lengths
growing by half, shifted by a quarter of their length), which holds a close relative of each of
the D (D - 1) / 2, and is paid for: the p-value of the best stretch is multiplied by their number.
`sharpen` then moves the ends of a stretch to where the likelihood is greatest.

The statistic is the signed root of the log-likelihood ratio: of two binomial rates, or of two
means with one variance. Real days scatter more than coins do (customers come back, weekends
differ, a mailing sends a thousand on one day who are alike): the root is divided by that of the
*dispersion*, the variance found between days over that expected, never below 1. Of fewer than eleven
days that hold most of a series nobody can say how much they differ by themselves: there is no test.
Where successes are rare the root is too sure of itself, and the exact hypergeometric probability
counts, if it is the greater one.

How sure the ends are, `ends_within` says: all first days (and all last days) that explain the data
nearly as well as the best. Twice the drop of the log-likelihood at the true day is at most x with
probability (1 - exp(-x / 2))^2 [3]_, so days up to a drop of 3.7 are a 95% interval, or more, days being
whole. Where nobody came for some days, they are all in it: nobody can know.

Slow change is no incident. A stretch must stand out from the line through as many days before and
after it; where the data begin or end with it, the step at its one edge must be more than the step
before that.

References
----------
.. [1] M. Kulldorff, "A spatial scan statistic", Communications in Statistics: Theory and Methods
   26 (1997), 1481-1496.
.. [2] G. Walther, "Optimal and fast detection of spatial clusters with scan statistics", Annals of
   Statistics 38 (2010), 1010-1033 (a net of windows is enough).
.. [3] B. E. Hansen, "Sample splitting and threshold estimation", Econometrica 68 (2000), 575-603
   (theorem 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import hypergeom, norm

__all__ = ["Scan", "Series", "ends_within", "scan", "sharpen", "stretches"]

SHORTEST = 3
"""Days of the shortest stretch."""
_BLOCK = 128
_AROUND = 14
"""Least number of days before and after a stretch that it is held against."""
_STEP_Z = norm.isf(0.001)
_FEWEST_PAIRS = 10
_NEARLY = -2 * np.log(1 - np.sqrt(0.95))
"""Twice the drop of the log-likelihood that the true day stays under with 95%."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Series:
    """Daily sums of m series over D days, each array of shape (m, D).

    `total` of the trials' values, `squares` of their squares; None says that values are 0 or 1.
    """

    trials: Floats
    total: Floats
    squares: Floats | None = None

    def take(self, rows: Ints | slice) -> Series:
        """Some of the series."""
        squares = None if self.squares is None else self.squares[rows]
        return Series(self.trials[rows], self.total[rows], squares)


@dataclass(frozen=True)
class Scan:
    """The best stretch of each of m series, days ``begin`` to ``end - 1``; p is 1 if none counts."""

    begin: Ints
    end: Ints
    root: Floats
    p_value: Floats


def stretches(days: int) -> tuple[Ints, Ints]:
    """Begin and end (exclusive) of the net of stretches of up to half of the days.

    >>> begin, end = stretches(6)
    >>> list(zip(begin.tolist(), end.tolist()))
    [(0, 3), (1, 4), (2, 5), (3, 6)]
    """
    found: list[tuple[int, int]] = []
    length = SHORTEST
    while 2 * length <= days:
        step = max(length // 4, 1)
        begins = [*range(0, days - length, step), days - length]
        found += [(begin, begin + length) for begin in begins]
        length += max(length // 2, 1)
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def scan(series: Series, least_trials: int, least_excess: float) -> Scan:
    """Find the stretch of each series in which its rate or mean is most surely higher.

    Parameters
    ----------
    series : Series
    least_trials : int
        Trials that a stretch, and the rest, must have.
    least_excess : float
        Difference from the rest that is worth telling.

    Returns
    -------
    Scan
    """
    m, days = series.trials.shape
    begin, end = stretches(days)
    out = Scan(np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m), np.ones(m))
    for low in range(0, m if len(begin) else 0, _BLOCK):
        block = slice(low, low + _BLOCK)
        part = series.take(block)
        root = _roots(part, begin, end, least_trials, least_excess)
        best = root.argmax(axis=1)
        at = np.arange(len(best))
        out.begin[block], out.end[block] = begin[best], end[best]
        out.root[block] = np.nan_to_num(root[at, best] / np.sqrt(dispersion(part)))
        p = np.where(out.root[block] > 0, norm.sf(out.root[block]), 1.0)
        if part.squares is None:
            p = np.maximum(p, _exact(part, begin[best], end[best], p < 0.01))
        out.p_value[block] = np.minimum(p * len(begin), 1.0)
    return out


def sharpen(series: Series, row: int, begin: int, end: int) -> tuple[int, int]:
    """Move the ends of a series' stretch, by up to its own length, to the greatest likelihood."""
    days = series.trials.shape[1]
    reach = end - begin
    begins = np.arange(max(begin - reach, 0), end)
    ends = np.arange(begin + 1, min(end + reach, days) + 1)
    b, e = (a.ravel() for a in np.meshgrid(begins, ends, indexing="ij"))
    # Half of the days at most, or the rest would be the stretch.
    possible = (e - b >= SHORTEST) & (2 * (e - b) <= days)
    b, e = b[possible], e[possible]
    root = _roots(series.take(np.array([row])), b, e, 1, 0.0, steps=False)[0]
    if not len(root) or root.max() <= 0:
        return begin, end
    best = np.flatnonzero(root >= root.max() - 1e-9)
    best = best[np.argmin(e[best] - b[best])]  # the shortest: no idle days at its ends
    return int(b[best]), int(e[best])


def ends_within(
    series: Series, row: int, begin: int, end: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last day that may be the true `begin`, and the true `end`, each at 95%.

    >>> series = Series(np.full((1, 12), 9.0), np.array([[0, 0, 0, 1, 7, 8, 7, 1, 0, 0, 0, 0.0]]))
    >>> ends_within(series, 0, 4, 7)
    ((3, 4), (7, 8))
    """
    days = series.trials.shape[1]
    reach = end - begin
    one = series.take(np.array([row]))
    scatter = float(np.nan_to_num(dispersion(one)[0], nan=1.0))

    def within(b: Ints, e: Ints, moved: Ints, best: int) -> tuple[int, int]:
        root = _roots(one, b, e, 1, 0.0, steps=False)[0]
        near = moved[(root[moved == best] ** 2 - root**2) / scatter <= _NEARLY]
        return int(near.min()), int(near.max())

    begins = np.arange(max(begin - reach, 0), end)
    ends = np.arange(begin + 1, min(end + reach, days) + 1)
    return (
        within(begins, np.full_like(begins, end), begins, begin),
        within(np.full_like(ends, begin), ends, ends, end),
    )


def dispersion(series: Series) -> Floats:
    """Variance between days over that expected of independent trials, at least 1; shape (m,).

    NaN where too few days are told apart. Taken between neighbours among the days with trials, so that an incident
    itself, a step up and a step down, counts for two pairs only; and once more among the *heavy* days, for where
    trials come in bursts the stragglers between them would say that all is even.
    """
    n = series.trials
    total = n.sum(axis=1, keepdims=True)
    heavy = n >= (n**2).sum(axis=1, keepdims=True) / np.maximum(total, 1) / 2
    every, _ = _scatter(series, n > 0)
    most, pairs = _scatter(series, heavy & (n > 0))
    return np.where(pairs >= _FEWEST_PAIRS, np.fmax(every, most), np.nan)


def _scatter(series: Series, counted: Flags) -> tuple[Floats, Ints]:
    """The dispersion among some days, and how many pairs of neighbours they are."""
    n, days = series.trials, np.arange(counted.shape[1])
    last = np.maximum.accumulate(np.where(counted, days, -1), axis=1)
    before = np.concatenate((np.full((len(n), 1), -1), last[:, :-1]), axis=1)
    known = counted & (before >= 0)
    before = np.maximum(before, 0)
    n0 = np.take_along_axis(n, before, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = series.total / n
        expected = _variance(series) * (1 / n + 1 / n0)
        ratio = (rate - np.take_along_axis(rate, before, axis=1)) ** 2 / expected
    known &= np.isfinite(ratio)
    weight = np.where(known, np.sqrt(n * n0), 0.0)
    found = np.where(known, ratio * weight, 0.0).sum(axis=1) / np.maximum(
        weight.sum(axis=1), 1e-300
    )
    # Its own standard error is about sqrt(2 x 1.5 / days): what is within that is no dispersion.
    pairs = known.sum(axis=1)
    return np.where(found > 1 + np.sqrt(3 / np.maximum(pairs, 1)), found, 1.0), pairs


def _window_sums(values: Floats, begin: Ints, end: Ints) -> Floats:
    running = np.concatenate((np.zeros((len(values), 1)), values.cumsum(axis=1)), axis=1)
    return running[:, end] - running[:, begin]


def _roots(
    series: Series, begin: Ints, end: Ints, least: int, excess: float, steps: bool = True
) -> Floats:
    """Signed roots, 0 where a stretch doesn't count; shape (m, n_stretches)."""

    def both(values: Floats) -> tuple[Floats, Floats]:
        inside = _window_sums(values, begin, end)
        return inside, values.sum(axis=1)[:, None] - inside

    (n1, n0), (x1, x0) = both(series.trials), both(series.total)
    with np.errstate(invalid="ignore", divide="ignore"):
        higher = x1 / n1 - x0 / n0
        if series.squares is None:
            likelihood = _binomial(x1, n1) + _binomial(x0, n0) - _binomial(x1 + x0, n1 + n0)
        else:
            q = series.squares.sum(axis=1)[:, None]
            one = q - (x1 + x0) ** 2 / (n1 + n0)
            two = q - x1**2 / n1 - x0**2 / n0
            likelihood = (n1 + n0) / 2 * np.log(np.maximum(one, 1e-12) / np.maximum(two, 1e-12))
        root = np.sqrt(2 * np.maximum(likelihood, 0))
    counts = (n1 >= least) & (n0 >= least) & (higher >= excess)
    if steps:
        rows = np.flatnonzero(counts.any(axis=1))
        counts[rows] &= _stands_out(series.take(rows), begin, end, least, excess)
    return np.where(counts & np.isfinite(root), root, 0.0)


def _stands_out(series: Series, begin: Ints, end: Ints, least: int, excess: float) -> Flags:
    """Whether a stretch is above the line through the days around it; shape (m, n_stretches)."""
    days = series.trials.shape[1]
    length = np.maximum(end - begin, _AROUND)
    one = _variance(series)

    def block(first: Ints, last: Ints) -> tuple[Floats, Floats]:
        first, last = (np.clip(day, 0, days) for day in (first, last))
        n = _window_sums(series.trials, first, last)
        with np.errstate(invalid="ignore", divide="ignore"):
            return n, _window_sums(series.total, first, last) / n

    def clear(
        rates: tuple[Floats, ...], trials: tuple[Floats, ...], weights: Sequence[float]
    ) -> Flags:
        with np.errstate(invalid="ignore", divide="ignore"):
            above = sum(w * r for w, r in zip(weights, rates, strict=True))
            error = np.sqrt(one * sum(w * w / n for w, n in zip(weights, trials, strict=True)))
            return (above >= excess) & (above / error >= _STEP_Z)

    def edge(
        outer: tuple[Floats, Floats], far: tuple[Floats, Floats], inner: tuple[Floats, Floats]
    ) -> Flags:
        """A step between inner and outer that is more than that between outer and far."""
        (n0, r0), (n2, r2), (n1, r1) = outer, far, inner
        step = clear((r1, r0), (n1, n0), (1, -1))
        return step & (clear((r1, r0, r2), (n1, n0, n2), (1, -2, 1)) | (n2 < least / 2))

    inside = block(begin, end)
    before, after = block(begin - length, begin), block(end, end + length)
    has_before, has_after = before[0] >= least / 2, after[0] >= least / 2
    rates, trials = (inside[1], before[1], after[1]), (inside[0], before[0], after[0])
    with np.errstate(invalid="ignore"):
        both = clear(rates, trials, (1, -0.5, -0.5))
        both &= inside[1] - np.fmax(before[1], after[1]) >= excess / 2
    k = np.maximum(_AROUND, np.minimum(length, begin // 2))
    began = edge(
        block(begin - k, begin),
        block(begin - 2 * k, begin - k),
        block(begin, np.minimum(begin + k, end)),
    )
    k = np.maximum(_AROUND, np.minimum(length, (days - end) // 2))
    ended = edge(
        block(end, end + k), block(end + k, end + 2 * k), block(np.maximum(end - k, begin), end)
    )
    alone = np.where(has_before, began, np.where(has_after, ended, True))
    return np.where(has_before & has_after, both, alone)


def _variance(series: Series) -> Floats:
    """Variance of a trial; shape (m, 1)."""
    n = np.maximum(series.trials.sum(axis=1), 1)
    squares = series.total if series.squares is None else series.squares
    mean = series.total.sum(axis=1) / n
    return (squares.sum(axis=1) / n - mean**2)[:, None]


def _binomial(x: Floats, n: Floats) -> Floats:
    return xlogy(x, x / n) + xlogy(n - x, (n - x) / n)


def _exact(series: Series, begin: Ints, end: Ints, wanted: NDArray[np.bool_]) -> Floats:
    """P(as many successes within, if they fell on trials at random); 0 where it isn't wanted."""
    p = np.zeros(len(begin))
    days = np.arange(series.trials.shape[1])
    inside = (days >= begin[:, None]) & (days < end[:, None])
    n, x = series.trials.sum(axis=1), series.total.sum(axis=1)
    n1, x1 = (series.trials * inside).sum(axis=1), (series.total * inside).sum(axis=1)
    w = np.flatnonzero(wanted)
    if len(w):
        p[w] = hypergeom.sf(x1[w] - 1, n[w], x[w], n1[w])
    return p
