"""Stretches of days that are worse: found, dated, and not seen where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.change_points import (
    Series,
    dispersion,
    ends_within,
    scan,
    sharpen,
    stretches,
)

DAYS = 120


def shares(rng: np.random.Generator, p: np.ndarray, daily: float = 15.0) -> Series:
    """One series of daily trials with a rate for each day."""
    n = rng.poisson(daily, (1, len(p)))
    return Series(n.astype(float), rng.binomial(n, p).astype(float))


def test_a_planted_stretch_is_found_and_dated() -> None:
    """Twenty days of 30% in a hundred of 5%: found in all of 30, ends within three days in 29."""
    near = 0
    for seed in range(30):
        p = np.full(DAYS, 0.05)
        p[50:70] = 0.3
        series = shares(np.random.default_rng(seed), p)
        found = scan(series, 25, 0.05)
        assert found.p_value[0] < 1e-6
        begin, end = sharpen(series, 0, int(found.begin[0]), int(found.end[0]))
        near += abs(begin - 50) <= 3 and abs(end - 70) <= 3
    assert near >= 29


def test_the_true_days_are_within_their_intervals() -> None:
    """A faint rise, 5% to 20% of eight a day: the intervals hold its first and its last day in nine of
    ten and more (95% is promised), and are no longer than the rise.
    """
    held = found = 0
    for seed in range(80):
        p = np.full(DAYS, 0.05)
        p[50:70] = 0.2
        series = shares(np.random.default_rng(seed), p, 8.0)
        best = scan(series, 25, 0.05)
        if best.p_value[0] > 0.001:
            continue
        begin, end = sharpen(series, 0, int(best.begin[0]), int(best.end[0]))
        begins, ends = ends_within(series, 0, begin, end)
        assert begins[0] <= begin <= begins[1] < begins[0] + 40
        found += 2
        held += (begins[0] <= 50 <= begins[1]) + (ends[0] <= 70 <= ends[1])
    assert found > 100
    assert held / found >= 0.9


def test_days_on_which_nobody_came_cannot_be_told() -> None:
    """Nobody came on the four days before the first failure: it may have begun on any of them."""
    n = np.full((1, 40), 6.0)
    n[0, 10:14] = 0.0
    x = np.zeros((1, 40))
    x[0, 14:20] = 5.0
    assert ends_within(Series(n, x), 0, 14, 20) == ((10, 14), (20, 20))


def test_a_rise_of_a_mean_is_found() -> None:
    """Waits half as long again for three weeks, on the logarithm's scale."""
    rng = np.random.default_rng(1)
    n = np.full((1, DAYS), 12.0)
    waits = rng.normal(
        np.where((np.arange(DAYS) >= 30) & (np.arange(DAYS) < 51), 4.4, 4.0), 0.5, (12, DAYS)
    )
    series = Series(n, waits.sum(axis=0)[None], (waits**2).sum(axis=0)[None])
    found = scan(series, 25, 0.2)
    assert found.p_value[0] < 1e-4
    begin, end = sharpen(series, 0, int(found.begin[0]), int(found.end[0]))
    assert abs(begin - 30) <= 3
    assert abs(end - 51) <= 3


def test_quiet_series_are_quiet() -> None:
    """Of 400 series without any change, at most one in twenty has p of .05 or less."""
    rng = np.random.default_rng(2)
    p = np.repeat(rng.uniform(0.01, 0.5, 400)[:, None], DAYS, axis=1)
    n = rng.poisson(10, p.shape)
    found = scan(Series(n.astype(float), rng.binomial(n, p).astype(float)), 25, 0.0)
    assert (found.p_value <= 0.05).mean() <= 0.05


def test_slow_change_is_no_incident() -> None:
    """A rate that doubles in four months, from 15% to 30%, is told in two of 20 at most."""
    found = [
        scan(shares(np.random.default_rng(seed), np.linspace(0.15, 0.3, DAYS)), 25, 0.05).p_value[0]
        for seed in range(20)
    ]
    assert sum(p <= 0.001 for p in found) <= 2


def test_unequal_days_are_not_evidence() -> None:
    """Days whose rates scatter more than coins do have a dispersion above 1, and fewer alarms."""
    rng = np.random.default_rng(4)
    p = rng.beta(2, 18, (200, DAYS))
    n = rng.poisson(30, p.shape)
    series = Series(n.astype(float), rng.binomial(n, p).astype(float))
    assert np.median(dispersion(series)) > 1.5
    assert (scan(series, 25, 0.0).p_value <= 0.05).mean() <= 0.05


def test_batches_that_differ_are_no_incidents() -> None:
    """A mailing every week, each of people who are alike, and stragglers on the days between: one mailing
    that does worse than others, as mailings do, is no incident. Each mailing by its journeys alone would be.
    """
    alarms = by_journeys = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n = rng.poisson(1.0, (1, 168))
        n[0, ::7] = rng.integers(100, 1_000, 24)
        rates = np.repeat(rng.beta(4, 36, 24), 7)[None, :]
        series = Series(n.astype(float), rng.binomial(n, rates).astype(float))
        found = scan(series, 25, 0.02)
        alarms += found.p_value[0] <= 0.01
        by_journeys += found.root[0] * np.sqrt(dispersion(series)[0]) > 5
    assert alarms <= 1
    assert by_journeys >= 30


def test_of_few_days_nothing_is_said() -> None:
    """Ten mailings, one of them three times as bad: how much mailings differ can't be known from ten."""
    n = np.zeros((1, 100))
    n[0, ::10] = 400.0
    x = n * 0.05
    x[0, 50] = 60.0
    series = Series(n, x)
    assert np.isnan(dispersion(series)).all()
    assert scan(series, 25, 0.02).p_value.tolist() == [1.0]


@given(st.integers(2, 500))
@settings(deadline=None)
def test_every_stretch_has_a_relative_in_the_net(days: int) -> None:
    """Any stretch from three days to half of them shares at least half of its days with one tried."""
    begin, end = stretches(days)
    assert ((end - begin) * 2 <= days).all()
    assert (end <= days).all()
    rng = np.random.default_rng(days)
    for _ in range(20 if days >= 6 else 0):
        length = int(rng.integers(3, days // 2 + 1))
        first = int(rng.integers(0, days - length + 1))
        shared = np.minimum(end, first + length) - np.maximum(begin, first)
        union = np.maximum(end, first + length) - np.minimum(begin, first)
        assert (shared / union).max() >= 0.5


@pytest.mark.parametrize("days", [1, 5])
def test_too_few_days_have_no_stretch(days: int) -> None:
    """Under six days nothing can be told from the rest."""
    found = scan(shares(np.random.default_rng(0), np.full(days, 0.5)), 1, 0.0)
    assert found.p_value.tolist() == [1.0]
