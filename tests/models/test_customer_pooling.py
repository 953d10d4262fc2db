"""Two levels of membership, against enumeration; loyalty, against what was planted."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.customer_pooling import Customers, estimate_loyalty, two_level_posteriors


def customers_of(of: list[int]) -> Customers:
    return Customers(pa.array([f"c{i}" for i in range(max(of) + 1)]), np.array(of))


@given(st.integers(0, 10_000), st.floats(0.0, 0.99))
@settings(max_examples=30, deadline=None)
def test_posteriors_are_those_of_all_ways_to_draw_the_personas(seed, loyalty):
    """Every persona of the customer, every persona of every journey, loyal or stray: summed one by one."""
    random = np.random.default_rng(seed)
    k, of = 3, [1, 0, 1, 1, 0]
    likelihood, weights = random.random((len(of), k)), random.dirichlet(np.ones(k))
    found, found_customers = two_level_posteriors(
        np.log(likelihood), np.log(weights), customers_of(of), loyalty
    )
    for customer in (0, 1):
        mine = [j for j, c in enumerate(of) if c == customer]
        total = 0.0
        of_customer, of_journeys = np.zeros(k), {j: np.zeros(k) for j in mine}
        for own in range(k):
            for drawn in product(range(k), repeat=len(mine)):
                chance = weights[own]
                for j, persona in zip(mine, drawn, strict=True):
                    follows = loyalty * (persona == own) + (1 - loyalty) * weights[persona]
                    chance *= follows * likelihood[j, persona]
                total += chance
                of_customer[own] += chance
                for j, persona in zip(mine, drawn, strict=True):
                    of_journeys[j][persona] += chance
        assert found_customers[customer] == pytest.approx(of_customer / total)
        for j in mine:
            assert found[j] == pytest.approx(of_journeys[j] / total)


@pytest.mark.parametrize("planted", [0.0, 0.4, 0.8, 1.0])
def test_loyalty_is_the_planted_one(planted):
    """Journeys that tell their persona with four chances in five show how loyal customers are."""
    random = np.random.default_rng(1)
    n, k = 6_000, 3
    of = np.repeat(np.arange(n // 3), 3)
    persona = random.integers(0, k, size=n // 3)[of]
    strays = random.random(n) >= planted
    persona[strays] = random.integers(0, k, size=int(strays.sum()))
    seen = np.where(random.random(n) < 0.8, persona, random.integers(0, k, size=n))
    likelihood = np.where(np.arange(k) == seen[:, None], 0.8 + 0.2 / 3, 0.2 / 3)
    ids = pa.array([f"c{i:05d}" for i in range(n // 3)])
    found = estimate_loyalty(np.log(likelihood), np.log(np.full(k, 1 / k)), Customers(ids, of))
    assert found == pytest.approx(planted, abs=0.05)


def test_a_journey_alone_says_nothing_about_loyalty():
    """Its posterior is its own under any loyalty."""
    likelihood = np.log(np.array([[0.9, 0.1], [0.3, 0.7]]))
    weights, alone = np.log([0.5, 0.5]), customers_of([0, 1])
    assert estimate_loyalty(likelihood, weights, alone) == 1.0
    for loyalty in (0.0, 0.5, 1.0):
        journeys, customers = two_level_posteriors(likelihood, weights, alone, loyalty)
        assert journeys == pytest.approx(np.array([[0.9, 0.1], [0.3, 0.7]]))
        if loyalty == 1.0:
            assert customers == pytest.approx(journeys)
