"""The mixture climbs, its posteriors are posteriors, and equal rows may be merged."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator

from models.journey_paths import MoveSpace, count_moves, path_corpus, path_vocabulary
from models.markov_mixture import CountData, MarkovMixture, posteriors
from models.tfidf_kmeans import TfidfKMeans, count_ngrams
from tests.models.planted_paths import planted_world

ORIGINS = np.array([0, 0, 0, 1, 1, 2])


def random_counts(seed: int, n: int = 60) -> sp.csr_array:
    """Sparse counts with many equal rows."""
    return sp.csr_array(np.random.default_rng(seed).poisson(0.7, size=(n, len(ORIGINS))))


@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.01, 1.0, 30.0]))
@settings(max_examples=30, deadline=None)
def test_the_objective_never_falls(seed, k, prior_strength):
    model = MarkovMixture(
        k, origins=ORIGINS, prior_strength=prior_strength, n_init=1, tol=-1.0, random_state=seed
    ).fit(random_counts(seed))
    steps = np.diff(model.objectives_)
    assert (steps >= -1e-9 * abs(model.objectives_[-1])).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_posteriors_and_likelihoods_are_those_of_the_definition(seed):
    counts = random_counts(seed)
    model = MarkovMixture(3, origins=ORIGINS, random_state=seed).fit(counts)
    log_weights, log_probabilities = model.parameters_
    for origin in range(3):
        assert np.exp(log_probabilities[origin == ORIGINS]).sum(axis=0) == pytest.approx(1.0)
    assert np.exp(log_weights).sum() == pytest.approx(1.0)
    joint = np.array(
        [
            [log_weights[k] + row @ log_probabilities[:, k] for k in range(3)]
            for row in counts.toarray()
        ]
    )
    assert model.score_samples(counts) == pytest.approx(logsumexp(joint, axis=1))
    posterior = model.predict_proba(counts)
    assert posterior.sum(axis=1) == pytest.approx(1.0)
    assert posterior == pytest.approx(np.exp(joint - logsumexp(joint, axis=1)[:, None]))
    assert (model.predict(counts) == posterior.argmax(axis=1)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_merged_rows_are_the_distinct_rows_whatever_their_order(seed):
    counts = random_counts(seed)
    data = CountData.merge(counts, ORIGINS, 5.0)
    rows, times = np.unique(counts.toarray(), axis=0, return_counts=True)
    merged = {tuple(row): w for row, w in zip(data.rows.toarray(), data.weights, strict=True)}
    assert merged == {tuple(row): n for row, n in zip(rows, times, strict=True)}
    shuffled = counts[np.random.default_rng(seed).permutation(counts.shape[0])]
    again = CountData.merge(shuffled, ORIGINS, 5.0)
    assert (again.rows.toarray() == data.rows.toarray()).all()
    assert (again.pseudo_counts == data.pseudo_counts).all()


def test_one_component_gives_the_pooled_shares_drawn_to_the_prior():
    counts = sp.csr_array(np.array([[3, 1, 0], [0, 0, 4]]))
    model = MarkovMixture(1, origins=np.array([0, 0, 1]), prior_strength=1e-9).fit(counts)
    assert np.exp(model.parameters_.log_probabilities[:, 0]) == pytest.approx([0.75, 0.25, 1.0])


def test_planted_chains_are_found_nearly_as_well_as_by_who_knows_them():
    world = planted_world(6_000, 4, seed=1)
    corpus = path_corpus(world.steps, path_vocabulary(world.steps))
    counts, telling = count_moves(corpus), world.lengths >= 5
    model = MarkovMixture(
        4, origins=MoveSpace(corpus.vocabulary).origins, prior_strength=10.0, random_state=0
    )
    labels = model.fit(counts[world.lengths >= 3]).predict(counts)
    found = adjusted_rand_score(world.persona[telling], labels[telling])
    best = adjusted_rand_score(world.persona[telling], world.oracle[telling])
    assert found > 0.9 * best
    rival = TfidfKMeans(4, random_state=0).fit(count_ngrams(corpus)[telling])
    assert found > adjusted_rand_score(world.persona[telling], rival.labels_) > 0.0


def test_the_same_seed_gives_the_same_model_and_clone_starts_afresh():
    model = MarkovMixture(3, origins=ORIGINS, random_state=4).fit(random_counts(2))
    copy = clone(model)
    assert not hasattr(copy, "parameters_")
    assert copy.get_params()["prior_strength"] == model.prior_strength
    again = copy.fit(random_counts(2)).parameters_
    assert (again.log_probabilities == model.parameters_.log_probabilities).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [MarkovMixture(2, n_init=2), TfidfKMeans(2)])
def test_scikit_learn_finds_its_habits_kept(estimator):
    check_estimator(
        estimator,
        on_skip=None,
        expected_failed_checks={
            "check_clustering": "gives negative values, which are no counts",
            "check_estimator_sparse_array": "asks whatever has predict_proba for classes",
            "check_estimator_sparse_matrix": "asks whatever has predict_proba for classes",
        },
    )


def test_wrong_origins_and_too_few_rows_are_told():
    with pytest.raises(ValueError, match="2 origins for 6 columns"):
        MarkovMixture(1, origins=np.array([0, 1])).fit(random_counts(0))
    with pytest.raises(ValueError, match="n_components=9"):
        MarkovMixture(9, origins=ORIGINS).fit(random_counts(0, n=5))


def test_one_component_is_certain_and_as_likely_as_it_says() -> None:
    """Of a single component the log likelihood is its own, and the posterior 1."""
    posterior, log_likelihood = posteriors(np.array([[-3.0], [-5.0]]))
    assert posterior.tolist() == [[1.0], [1.0]]
    assert log_likelihood.tolist() == [-3.0, -5.0]
