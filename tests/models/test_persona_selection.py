"""As many personas as were planted, and none where none were."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from models.journey_paths import MoveSpace, count_moves, path_corpus, path_vocabulary
from models.journey_sample import hash_numbers
from models.markov_mixture import CountData, posteriors
from models.persona_selection import (
    Selection,
    Units,
    merge_path,
    search_path,
    select_personas,
)
from models.tfidf_kmeans import count_ngrams, search_kmeans
from tests.models.planted_paths import PlantedWorld, planted_world


def units_of(world: PlantedWorld) -> Units:
    """The journeys of three touchpoints and more."""
    corpus = path_corpus(world.steps, path_vocabulary(world.steps))
    long = corpus.lengths >= 3
    space = MoveSpace(corpus.vocabulary)
    return Units(
        counts=count_moves(corpus)[long],
        lengths=corpus.lengths[long],
        numbers=hash_numbers(corpus.journey_ids.filter(pa.array(long))),
        origins=space.origins,
        columns=np.arange(space.size),
    )


def select(world: PlantedWorld, max_personas: int = 8) -> Selection:
    return select_personas(units_of(world), search_path(max_personas, seed=0))


@pytest.mark.parametrize(("k", "seed"), [(3, 0), (5, 1)])
def test_planted_personas_are_counted_right(k, seed):
    found = select(planted_world(8_000, k, seed, side_data=True))
    assert found.n_personas in (k, k + 1)
    assert found.grade == "strong"
    assert len(found.firmness) == found.n_personas
    assert found.firmness[0] > 0.75
    assert found.stability > 0.8
    assert found.reason == ""


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("touchpoints", "taste", "side_data"), [(12, False, True), (12, True, False), (4, False, False)]
)
def test_one_chain_and_single_tastes_have_no_structure(touchpoints, taste, side_data, seed):
    world = planted_world(
        6_000, 1, seed, n_touchpoints=touchpoints, taste=taste, side_data=side_data
    )
    found = select(world)
    assert (found.n_personas, found.grade) == (1, "none")
    assert found.reason


def test_independent_draws_have_no_structure():
    world = planted_world(6_000, 1, seed=3)
    touchpoint = world.steps["touchpoint"].take(
        np.random.default_rng(0).permutation(world.steps.num_rows)
    )
    steps = world.steps.set_column(3, "touchpoint", touchpoint)
    assert select(PlantedWorld(steps, world.persona, world.oracle, world.lengths)).grade == "none"


def test_new_moves_are_predicted_better_than_by_one_chain_and_by_chains_of_clusters():
    """Of journeys held out, by the mixture and by k-means of as many clusters, both learnt from the others."""
    world = planted_world(3_000, 4, seed=5)
    units = units_of(world)
    half = (units.numbers & np.uint64(1)).astype(bool)
    corpus = path_corpus(world.steps, path_vocabulary(world.steps))
    ngrams = count_ngrams(corpus)[corpus.lengths >= 3]
    mixture = search_path(4, seed=0)(units, half, 1)
    found = mixture[4], search_kmeans(ngrams, 4, seed=0)(units, half, 4)[4], mixture[1]
    ours, clusters, one = (posteriors(p.joint(units.counts[~half]))[1].mean() for p in found)
    assert ours > clusters > one


def test_halves_that_agree_less_than_by_chance_have_no_structure():
    """What predicts the other half, and is sorted by each half against the other, is no structure."""
    n = 4_000
    random = np.random.default_rng(0)
    # Each row is one of four things; either half joins them in pairs of its own.
    thing = np.tile(np.arange(4), n // 4)
    counts = np.zeros((n, 5))
    counts[np.arange(n), thing] = 6.0
    units = Units(
        sp.csr_array(counts),
        np.full(n, 6),
        random.permutation(n).astype(np.uint64),
        np.zeros(5, np.int64),
        np.arange(5),
    )
    half = (units.numbers & np.uint64(1)).astype(bool)

    def search(units, mine, least):
        data = units.data(mine)
        pairs = [0, 0, 1, 1] if np.array_equal(mine, half) else [0, 1, 0, 1]
        one = data.maximise(np.ones((data.rows.shape[0], 1)))
        members = np.eye(2)[np.array(pairs)[data.rows.argmax(axis=1)]]
        return {1: one, 2: data.maximise(members)}

    found = select_personas(units, search)
    assert found.stabilities[2] < 0
    assert found.gains[2] > 0
    assert (found.n_personas, found.grade) == (1, "none")
    assert "disagree" in found.reason


def test_too_few_journeys_have_no_structure():
    found = select(planted_world(60, 3, seed=0, side_data=True))
    assert found.n_personas == 1
    assert "too few" in found.reason


def test_no_more_personas_than_allowed():
    found = select(planted_world(2_000, 5, seed=1, side_data=True), max_personas=3)
    assert 2 <= found.n_personas <= 3


def test_the_path_has_every_number_of_components_and_likelihood_rises_with_it():
    world = planted_world(2_000, 3, seed=2)
    corpus = path_corpus(world.steps, path_vocabulary(world.steps))
    data = CountData.merge(count_moves(corpus), MoveSpace(corpus.vocabulary).origins, 5.0)
    path = merge_path(data, 6, 0)
    assert [len(parameters.log_weights) for parameters in path] == [1, 2, 3, 4, 5, 6]
    likelihood = [
        data.weights @ np.logaddexp.reduce(parameters.joint(data.rows), axis=1)
        for parameters in path
    ]
    assert (np.diff(likelihood) > 0).all()


def test_what_is_too_small_to_be_a_kind_joins_its_like():
    """A persona holds at least 1% of the units and 30 of them."""
    found = select(planted_world(900, 5, seed=1, side_data=True))
    assert found.n_personas == 1 or np.exp(found.parameters.log_weights).min() * 900 >= 29


def test_starts_that_know_a_few_rows_more_are_nearly_the_same():
    """Lots are drawn by content: of data that grew by 5%, starts choose mostly the same rows."""
    counts = units_of(planted_world(2_000, 3, seed=2)).counts
    origins = np.zeros(counts.shape[1], np.int64)
    few, all_ = (CountData.merge(part, origins, 5.0) for part in (counts[:-50], counts))
    chosen = [set(data.keys[np.argsort(data.lots(7))[:100]]) for data in (few, all_)]
    assert len(chosen[0] & chosen[1]) >= 85
