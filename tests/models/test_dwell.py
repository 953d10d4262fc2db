"""Dwell histograms: quantiles within 1%, sums exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.dwell import BINS, RELATIVE_ERROR, bin_seconds, bin_values, grouped_quantiles

SECONDS = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e9)), min_size=1, max_size=60)


@given(SECONDS)
def test_a_bin_stands_for_its_seconds(seconds: list[float]) -> None:
    """What a bin stands for is within 1% of everything in it, and no wait is exactly no wait."""
    bins = bin_seconds(seconds)
    assert ((bins >= 0) & (bins < BINS)).all()
    np.testing.assert_allclose(bin_values(bins), seconds, rtol=RELATIVE_ERROR * 1.0001)


@given(SECONDS, SECONDS, st.floats(0, 1))
def test_quantiles_are_those_of_the_waits(a: list[float], b: list[float], q: float) -> None:
    """Quantiles of two groups at once are within 1% of the sorted waits' own."""
    keys = np.repeat([9, 4], [len(a), len(b)])
    order = np.random.default_rng(0).permutation(len(keys))
    bins = bin_seconds(a + b)
    groups, found = grouped_quantiles(keys[order], bins[order], np.ones(len(keys)), (q,))
    assert groups.tolist() == [4, 9]
    for value, waits in zip(found[:, 0], (b, a), strict=True):
        exact = np.sort(waits)[int(np.floor(q * (len(waits) - 1)))]
        assert value == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001)


def test_counts_weigh_as_rows_do() -> None:
    """A bin counted three times, in one row or in two, is three waits."""
    bins = bin_seconds([1.0, 100.0])
    many = grouped_quantiles([1, 1, 1], bins[[0, 1, 1]], [2, 1, 2], (0, 0.25, 0.5, 1))
    rows = grouped_quantiles([1] * 5, bins[[0, 0, 1, 1, 1]], [1] * 5, (0, 0.25, 0.5, 1))
    np.testing.assert_array_equal(many[1], rows[1])
    assert grouped_quantiles([], [], [], (0.5,))[1].shape == (0, 1)


def test_beyond_all_measure_is_the_last_bin() -> None:
    """A millennium is counted with all that is longer than three centuries."""
    assert bin_seconds([3e10, 1e12]).tolist() == [BINS - 1, BINS - 1]


@pytest.mark.parametrize("wrong", [-1.0, np.nan])
def test_time_does_not_run_backwards(wrong: float) -> None:
    """Negative and missing dwell times are refused."""
    with pytest.raises(ValueError, match="dwell times are seconds"):
        bin_seconds([1.0, wrong])
