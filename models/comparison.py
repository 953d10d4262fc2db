"""Two groups of journeys held against each other: every rate and every move, with intervals.

A rate of a group is the sum of its trials' values over their number: moves from a touchpoint,
conversions, drop-offs, returns, satisfaction, logarithms of waits. Trials of one customer are not
independent, and a group is a group of customers; so a rate r = X / N is a ratio of sums over
customers c, and its variance is that of a ratio estimator, sum over c of (x_c - r n_c)^2 / N^2.
Customers who came once give the binomial variance again.

- The **interval** of the difference takes each group's own variance.
- The **p-value** asks how often chance would split one crowd so: both groups share one rate and
  one variance. Where one group is small and successes are rare, the normal law is too sure of
  itself, and the exact test counts, if its p is the greater one (of counts divided by the design
  effect). Random splits of the same customers are rejected as often as the level says, or a little
  less.
- **q-values** are Benjamini-Hochberg's over all rates of the comparison.

Moves are counted once a journey: what came after its first visit to a touchpoint. A rate is left
out where a group has fewer than `min_volume` trials, or where both together have fewer than ten
successes or ten failures.

References
----------
.. [1] W. G. Cochran, *Sampling Techniques*, 3rd edition, Wiley 1977, sections 3.12 and 6.3 (cluster
   sampling, ratio estimators).
.. [2] R. A. Fisher, "The logic of inductive inference", JRSS 98 (1935), 39-82 (the exact test).
.. [3] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995), 289-300.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.stats import hypergeom, norm

from models.counts import codes
from models.intervals import Z95, benjamini_hochberg

__all__ = ["COMPARISON", "MEANS", "by_key", "compare", "differences", "group_sums"]

MEANS = ("wait", "satisfaction")
"""Measures whose values are not 0 or 1."""
_FEWEST = 10
_DOUBTFUL = 0.2
"""p-values below this are worth an exact one."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Key = tuple[str, str, str]
"""Measure, node, target."""

COMPARISON = pa.schema(
    [
        ("measure", pa.string()),
        ("node", pa.string()),
        ("target", pa.string()),
        ("trials_a", pa.int64()),
        ("trials_b", pa.int64()),
        ("a", pa.float64()),
        ("b", pa.float64()),
        ("difference", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),
    ]
)
"""A row for each rate; `difference` is a - b, of logarithms for waits (0.69 is twice as long)."""


def compare(trials: pa.Table, *, min_volume: int = 100) -> pa.Table:
    """Compare two groups.

    Parameters
    ----------
    trials : pa.Table
        A row for each side ('a' or 'b'), measure, node, target and customer_id, with `n` trials
        and the sum `x` of their values, customers without successes included.
    min_volume : int
        Least number of trials of each group behind a rate.

    Returns
    -------
    pa.Table of `COMPARISON`
        Most certain differences first.

    Examples
    --------
    Every second customer of group a goes on, none of three of group b does.

    >>> rows = [("a", i, i % 2) for i in range(40)] + [("b", i, i % 4 == 0) for i in range(40)]
    >>> side, customer, x = zip(*rows)
    >>> trials = pa.table({"side": side, "measure": ["move"] * 80, "node": ["cart"] * 80,
    ...     "target": ["pay"] * 80, "customer_id": [str(c) for c in customer], "n": [1.0] * 80,
    ...     "x": [float(v) for v in x]})
    >>> row, = compare(trials, min_volume=20).to_pylist()
    >>> row["a"], row["b"], round(row["p_value"], 3)
    (0.5, 0.25, 0.037)
    """
    keys, key, n, x = by_key(trials)
    on_a = pc.equal(trials["side"], "a").to_numpy()
    sides = [group_sums(key[on], n[on], x[on], len(keys)) for on in (on_a, ~on_a)]
    columns, tested = differences(keys, *sides, min_volume=min_volume)
    order = np.lexsort((tested, columns["p_value"]))
    names = {
        name: [keys[tested[i]][place] for i in order]
        for place, name in enumerate(("measure", "node", "target"))
    }
    columns["trials_a"], columns["trials_b"] = (side[0][tested] for side in sides)
    rest = {f.name: columns[f.name][order] for f in COMPARISON if f.name not in names}
    arrays = {**names, **rest}
    return pa.table([pa.array(arrays[f.name]).cast(f.type) for f in COMPARISON], COMPARISON)


def by_key(trials: pa.Table) -> tuple[list[Key], Ints, Floats, Floats]:
    """Distinct (measure, node, target), sorted; and the key, n and x of each row."""
    parts = [codes(trials[name]) for name in ("measure", "node", "target")]
    shape = [max(len(texts), 1) for _, texts in parts]
    flat = np.ravel_multi_index([places for places, _ in parts], shape)
    distinct, key = np.unique(flat, return_inverse=True)
    texts = [
        names.take(pa.array(places)).to_pylist()
        for places, (_, names) in zip(np.unravel_index(distinct, shape), parts, strict=True)
    ]
    n, x = (trials[name].cast(pa.float64()).to_numpy() for name in ("n", "x"))
    return list(zip(*texts, strict=True)), key, n, x


def group_sums(key: Ints, n: Floats, x: Floats, size: int) -> Floats:
    """Sums over a group's customers of n, x, n n, n x and x x, by key; shape (5, size)."""
    return np.array([np.bincount(key, w, size) for w in (n, x, n * n, n * x, x * x)])


def differences(
    keys: Sequence[Key], a: Floats, b: Floats, *, min_volume: int
) -> tuple[dict[str, Floats], Ints]:
    """Rates, differences and tests of the keys that have the volume.

    Parameters
    ----------
    keys : sequence of (measure, node, target)
    a, b : ndarray of shape (5, n_keys)
        From `group_sums`.

    Returns
    -------
    columns : dict of str to ndarray
        As in `COMPARISON`, without names and trials.
    tested : ndarray
        The keys that were tested.
    """
    total = a + b
    mean = np.isin([key[0] for key in keys], MEANS)
    rare = np.minimum(total[1], total[0] - total[1]) < _FEWEST
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = total[1] / total[0]
        scatter = total[4] - 2 * shared * total[3] + shared**2 * total[2]
        enough = (np.minimum(a[0], b[0]) >= min_volume) & (mean | ~rare) & (scatter > 0)
    tested = np.flatnonzero(enough)
    a, b, total = a[:, tested], b[:, tested], total[:, tested]
    rate_a, rate_b = a[1] / a[0], b[1] / b[0]
    # One crowd split by chance: one variance a trial, by the customers' own scatter.
    variance = scatter[tested] / total[0] * (1 / a[0] + 1 / b[0])
    z = (rate_a - rate_b) / np.sqrt(variance)
    own = np.sqrt(_variance(a, rate_a) + _variance(b, rate_b))
    p_value = 2 * norm.sf(np.abs(z))
    doubtful = np.flatnonzero((p_value < _DOUBTFUL) & ~mean[tested])
    of = tested[doubtful]
    effect = np.maximum(scatter[of] / (total[1, doubtful] * (1 - shared[of])), 1.0)
    exact = _exact(a[:, doubtful], total[:, doubtful], effect)
    p_value[doubtful] = np.maximum(p_value[doubtful], exact)
    return {
        "a": rate_a,
        "b": rate_b,
        "difference": rate_a - rate_b,
        "low": rate_a - rate_b - Z95 * own,
        "high": rate_a - rate_b + Z95 * own,
        "p_value": p_value,
        "q_value": benjamini_hochberg(p_value),
    }, tested


def _exact(a: Floats, total: Floats, effect: Floats) -> Floats:
    """Twice the smaller tail of successes in group a, of effective trials dealt at random."""
    trials, successes, drawn, x = (np.rint(n / effect) for n in (*total[:2], *a[:2]))
    x = np.clip(x, np.maximum(0, drawn + successes - trials), np.minimum(drawn, successes))
    law = hypergeom(trials, successes, drawn)
    return np.minimum(2 * np.minimum(law.sf(x - 1), law.cdf(x)), 1.0)


def _variance(sums: Floats, rate: Floats) -> Floats:
    """Variance of a ratio of sums over customers; one success and one failure are added to the
    scatter, so that a rate of 0 does not pass for certainty.
    """
    n, _, squares, products, values = sums
    scatter = values - 2 * rate * products + rate**2 * squares
    return (np.maximum(scatter, 0.0) + 0.5) / n**2
