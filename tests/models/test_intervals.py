"""Intervals hold what they promise, and q-values are those of the published procedure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.intervals import Z95, benjamini_hochberg, mean_interval, wilson_interval


def test_wilson_ends_solve_the_score_equation() -> None:
    """At each end of the interval the score statistic of the share is exactly z."""
    k, n = np.array([1, 5, 37, 99]), np.array([10, 10, 80, 100])
    for end in wilson_interval(k, n):
        assert np.abs(k / n - end) / np.sqrt(end * (1 - end) / n) == pytest.approx(Z95)


def test_wilson_equals_scipy() -> None:
    """An independent implementation gives the same ends, at 0 and 1 too."""
    for k, n in [(0, 5), (3, 5), (5, 5), (17, 1000)]:
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        low, high = wilson_interval(k, n)
        assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_trials_no_interval() -> None:
    """Out of nothing comes no number."""
    assert np.isnan(wilson_interval([0], [0])).all()
    assert np.isnan(mean_interval([0], [0], [0])).all()


def test_yes_no_answers_have_wilsons_interval() -> None:
    """For answers of 0 and 1 the mean's interval is the share's interval."""
    mean, low, high = mean_interval([40, 3, 7], [10, 0, 7], [10, 0, 7])
    assert mean.tolist() == [0.25, 0.0, 1.0]
    np.testing.assert_allclose([low, high], wilson_interval([10, 0, 7], [40, 3, 7]), atol=1e-12)


@pytest.mark.parametrize("n", [5, 20, 200])
def test_mean_interval_covers(n: int) -> None:
    """The interval of 0..1 answers on a five-point scale holds the true mean in at least 92%."""
    rng = np.random.default_rng(n)
    for weights in ([1, 1, 2, 4, 6], [4, 3, 2, 1, 1], [1, 2, 9, 2, 1]):
        p = np.array(weights) / sum(weights)
        answers = rng.choice(5, (4000, n), p=p) / 4
        _, low, high = mean_interval(
            np.full(4000, n), answers.sum(axis=1), (answers**2).sum(axis=1)
        )
        covered = ((low <= p @ np.arange(5) / 4) & (p @ np.arange(5) / 4 <= high)).mean()
        assert 0.92 <= covered <= 0.995


def test_q_values_equal_scipy() -> None:
    """Benjamini-Hochberg as an independent implementation has it, in the order given."""
    p = np.random.default_rng(1).uniform(size=50) ** 3
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    assert benjamini_hochberg([]).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_do_not_depend_on_order(p: list[float]) -> None:
    """Shuffled tests keep their q-values."""
    order = np.random.default_rng(len(p)).permutation(len(p))
    np.testing.assert_array_equal(
        benjamini_hochberg(p)[order], benjamini_hochberg(np.array(p)[order])
    )
