"""Portraits say what is so: sizes, what sets apart, names, exemplars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind

from models.persona_features import (
    MEASURES,
    Feature,
    FeatureSpace,
    compare_measures,
    distinctive_features,
    log_odds,
)
from models.persona_portraits import (
    POSTERIOR_UNIT,
    PersonaCounts,
    exemplar_journeys,
    outcome_features,
    paragraph,
    persona_names,
    sentence,
    share_intervals,
)


def counts_of(posterior: np.ndarray, holding: np.ndarray | None = None) -> PersonaCounts:
    """Counts of customers with a journey each and these posteriors, shape (n, K)."""
    n, k = posterior.shape
    units = np.rint(posterior * POSTERIOR_UNIT).astype(np.int64)
    return PersonaCounts(
        scored=np.array([n]),
        customers=np.bincount(posterior.argmax(axis=1), minlength=k),
        journeys=np.bincount(posterior.argmax(axis=1), minlength=k),
        converted=np.zeros(k, np.int64),
        lapsed=np.zeros(k, np.int64),
        posteriors=units.sum(axis=0),
        squares=(units * units // POSTERIOR_UNIT).sum(axis=0),
        holding=np.zeros((k, 0), np.int64) if holding is None else holding,
        measures=np.zeros((3, len(MEASURES), k), np.int64),
    )


def test_share_of_certain_journeys_has_wilsons_interval():
    posterior = np.eye(2)[[0] * 30 + [1] * 70]
    found = share_intervals(counts_of(posterior), fit_customers=1_000)
    assert found[0] == pytest.approx([0.3, 0.2189, 0.3958], abs=1e-4)  # Wilson, 30 of 100
    assert found[:, 0].sum() == pytest.approx(1.0)


def test_doubtful_journeys_widen_the_interval():
    sure = np.eye(2)[[0] * 30 + [1] * 70]
    doubtful = 0.6 * sure + 0.2
    narrow, wide = (share_intervals(counts_of(p), 1_000)[0] for p in (sure, doubtful))
    assert wide[2] - wide[1] > 1.3 * (narrow[2] - narrow[1])


def test_shares_are_within_their_interval_nineteen_times_in_twenty():
    random, truth, inside = np.random.default_rng(0), 0.3, 0
    for _ in range(400):
        z = random.random(500) < truth
        seen = random.normal(np.where(z, 1.0, -1.0))
        share = truth
        for _ in range(50):  # the mixing weight by EM, components known
            odds = np.exp(2 * seen) * share / (1 - share)
            posterior = odds / (1 + odds)
            share = posterior.mean()
        found = share_intervals(counts_of(np.stack([posterior, 1 - posterior], axis=1)), 500)[0]
        inside += found[1] <= truth <= found[2]
    assert 0.92 <= inside / 400 <= 0.98


def test_log_odds_are_those_of_the_paper():
    holding = np.array([[40, 10, 50], [5, 60, 35]])
    z = log_odds(holding)
    every = holding.sum(axis=0)
    for k in range(2):
        for f in range(3):
            prior = 500.0 * (every + 0.5) / (every + 0.5).sum()
            y, a, n, a0 = holding[k, f], prior[f], holding[k].sum(), prior.sum()
            y2, n2 = holding[1 - k, f], holding[1 - k].sum()
            delta = np.log((y + a) / (n + a0 - y - a)) - np.log((y2 + a) / (n2 + a0 - y2 - a))
            assert z[k, f] == pytest.approx(delta / np.sqrt(1 / (y + a) + 1 / (y2 + a)))


def test_odds_of_being_held_are_told_by_journeys_where_they_are_given():
    """A feature that all of a persona hold stands out, whatever else they hold."""
    holding = np.array([[900, 800, 700], [100, 50, 10]])
    assert log_odds(holding)[0, 0] < 0  # among what they hold, the first is rare
    assert (log_odds(holding, np.array([1_000, 1_000]))[0] > 10).all()


def test_features_are_those_held_more_with_their_shares():
    holding = np.array([[90, 10, 80, 50], [10, 90, 0, 50]])
    space = FeatureSpace.of(["ad", "shop"], [], [], ["ad > shop", "shop > ad"])
    space = FeatureSpace(
        tuple(kind for kind in space.kinds if kind != "pace"),
        tuple(name for kind, name in zip(space.kinds, space.names, strict=True) if kind != "pace"),
    )
    first, second = distinctive_features(space, holding, np.array([100, 100]), 10)
    assert {feature.name for feature in first} == {"ad", "ad > shop"}
    assert [(f.name, f.value, f.value_others) for f in second if "> " not in f.name] == [
        ("shop", 0.9, 0.1)
    ]
    assert all(feature.z > 1.96 for feature in (*first, *second))


def test_measures_are_compared_as_welch_does():
    random = np.random.default_rng(3)
    one, other = random.integers(1, 20, size=80), random.integers(3, 30, size=50)
    sums = np.zeros((3, len(MEASURES), 2), np.int64)
    for k, values in enumerate((one, other)):
        sums[:, 0, k] = [len(values), values.sum(), (values**2).sum()]
    (first,), (second,) = compare_measures(sums)
    assert (first.value, first.value_others) == pytest.approx((one.mean(), other.mean()))
    assert first.z == pytest.approx(ttest_ind(one, other, equal_var=False).statistic)
    assert second.z == pytest.approx(-first.z)


def test_conversion_is_compared_with_that_of_the_others():
    counts = counts_of(np.eye(2)[[0] * 100 + [1] * 100])
    counts = replace(counts, converted=np.array([30, 10]), lapsed=np.array([50, 90]))
    first, _ = outcome_features(counts)
    assert (first.value, first.value_others) == (30 / 80, 0.1)
    pooled = 40 / 180
    assert first.z == pytest.approx(
        (30 / 80 - 0.1) / np.sqrt(pooled * (1 - pooled) * (1 / 80 + 1 / 100))
    )


def own(*names: str) -> list[Feature]:
    """Features in falling order of z."""
    return [
        Feature("move" if " > " in name else "touchpoint", name, "", 0.5, 0.1, 9.0 - i)
        for i, name in enumerate(names)
    ]


def test_names_are_made_by_rule_and_no_two_are_the_same():
    assert persona_names(
        [
            own("START > email_open", "email_open > shop", "coupon"),
            own("START > email_open", "email_open > shop", "chat > END"),
            own("START > email_open", "shop"),
            own("START > email_open", "shop"),
            [Feature("touchpoint", "rare", "", 0.01, 0.0, 9.0)],
        ]
    ) == (
        "Starts with email open, email open then shop",
        "Starts with email open, email open then shop, ends with chat",
        "Starts with email open, shop",
        "Starts with email open, shop (2)",
        "Mixed paths",
    )
    assert persona_names([own("ad")], taken=("Ad",)) == ("Ad (2)",)


def test_a_paragraph_says_only_what_is_a_row_and_only_differences_of_measures():
    features = [
        *own("ad", "ad > shop", "coupon", "wishlist"),
        Feature("outcome", "converted", "", 0.4, 0.1, 5.0),
        Feature("measure", "touchpoints", "", 4.0, 4.1, 0.3),
    ]
    said = paragraph(features)
    for feature in features:
        assert (sentence(feature) in said) == (feature.name not in ("wishlist", "touchpoints"))
    rest = said
    for feature in features:
        rest = rest.replace(sentence(feature), "")
    assert rest.strip() == ""


def test_exemplars_are_firm_of_middling_length_and_neither_odd_nor_trivial():
    lengths = np.arange(1, 11)
    confidence = np.array([0.99] * 4 + [0.5] + [0.95] * 5)
    log_likelihood = -2.0 * (lengths + 1) - lengths % 4
    ((first, *_),) = exemplar_journeys(
        np.zeros(10, np.int64), confidence, lengths, log_likelihood, 1
    )
    assert lengths[first] == 6  # of 6, 7, 8, which are firm, the one of median likelihood a step


def test_counts_of_buckets_add_up():
    posterior = np.random.default_rng(0).dirichlet([1.0, 1.0, 1.0], size=90)
    whole = counts_of(posterior)
    parts = PersonaCounts.total(counts_of(part) for part in np.split(posterior, [10, 50]))
    assert (parts.posteriors == whole.posteriors).all()
    assert (parts.squares == whole.squares).all()
    assert parts.scored == whole.scored
