"""The truth that personas are held against is right, and the page says what was found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.persona_worlds import FAMILIES, draw_world
from benchmarks.personas_report import report


@pytest.mark.parametrize("family", FAMILIES)
def test_the_oracle_is_right_as_often_as_it_says(family: str) -> None:
    """Overall and where it is confident, as only Bayes' rule with the true likelihood is."""
    world = draw_world(family, 6_000, seed=1)
    right = world.oracle == world.persona
    for least in (0.0, 0.6):
        chosen = world.certainty >= least
        error = np.sqrt((world.certainty * (1 - world.certainty))[chosen].sum()) / chosen.sum()
        assert right[chosen].mean() == pytest.approx(world.certainty[chosen].mean(), abs=4 * error)


def test_the_page_says_what_was_found_and_of_how_many() -> None:
    """Two worlds, one of them with a persona too many and one refused; what did not run is named so."""
    told = {"oracle": 0.8, "oracle_confident": 0.9, "oracle_covered": 0.5}
    found = {"ari": 0.8, "ari_confident": 0.86, "confident": 0.6, "calibration": 0.02}
    found |= {"ari_published": 0.9, "published": 0.4}
    page = report(
        {
            "world-80000-markov-1": {"footpath": {"planted": 6, "found": 7, **told, **found}},
            "world-80000-order-1": {"footpath": {"planted": 6, "found": 1, **told}},
            "null-null_iid-1": {"footpath": {"planted": 1, "found": 1}},
        }
    ).splitlines()
    for line in (
        "| 80,000 | markov | 1 | 0.800 | 0.800 | not run | not run | not run |",
        "| 80,000 | ARI at length 5 and up: 0.95 of the oracle's | 0.500 | 2 |",
        "| 80,000 | ARI, confident: .80 | 0.430 of 30%; oracle 0.900 of 50% | 2 |",
        "| 80,000 | K or K + 1: 85% | 50% | 2 |",
        "| 80,000 | refused: 2% at most | 50% | 2 |",
        '| null | "no structure": 98% | 100% | 1 |',
    ):
        assert line in page
    assert not any(line.startswith("| 10,000 | ARI") for line in page)
