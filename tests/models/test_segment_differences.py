"""Segments that convert unlike the others, and those that don't."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from benchmarks.journey_worlds import WORLDS, walk
from models.pain_points.daily import StepCounts
from models.segment_differences import segment_differences
from models.step_counts import count_steps


def test_rates_are_those_of_the_journeys() -> None:
    """Every number equals one counted over the journeys; the p-value is the chi-squared test's."""
    rng = np.random.default_rng(1)
    steps, journeys = walk(WORLDS["shop"](rng), 4_000, rng)
    counts = StepCounts(count_steps(steps, journeys, ["device", "region"]), 0)
    rows = segment_differences(counts, 100).to_pylist()
    assert {row["segment_value"] for row in rows} == {"mobile", "desktop", "north", "south", "west"}
    ended = [j for j in journeys.to_pylist() if j["outcome"] != "open"]
    for row in rows:
        table = np.zeros((2, 2))
        for j in ended:
            inside = j[row["segment"]] == row["segment_value"]
            table[int(not inside), int(j["outcome"] == "converted")] += 1
        assert row["journeys"] == table[0].sum()
        assert row["conversion_rate"] == table[0, 1] / table[0].sum()
        assert row["others_rate"] == pytest.approx(table[1, 1] / table[1].sum())
        assert row["p_value"] == pytest.approx(chi2_contingency(table, correction=False).pvalue)
        assert row["difference_low"] < row["difference"] < row["difference_high"]
        assert row["q_value"] >= row["p_value"]


def test_small_segments_are_not_compared() -> None:
    """Under the floor there is no row, and the empty table has its columns."""
    rng = np.random.default_rng(1)
    counts = StepCounts(count_steps(*walk(WORLDS["store"](rng), 300, rng), ["device"]), 0)
    assert segment_differences(counts, 10_000).num_rows == 0
