"""The strength of the prior is the one that the counts speak for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import dirichlet_multinomial, norm

from models.markov_mixture import CountData, expectation_maximisation, posteriors
from models.shared_habits import settle, share_habits


@pytest.mark.parametrize("seed", range(4))
def test_strengths_have_the_greatest_posterior_density(seed: int) -> None:
    """At no choice is another strength of the grid better, by scipy's own distributions."""
    random = np.random.default_rng(seed)
    rows = random.integers(1, 40, size=(3, 5)).astype(float)
    data = CountData.merge(sp.csr_array(rows), np.array([0, 0, 0, 1, 1]), prior_strength=10.0)
    found = share_habits(data, np.eye(3)).pseudo_counts
    for mine in (slice(0, 3), slice(3, 5)):
        counts = data.rows.toarray()[:, mine].astype(int)

        def density(strength: float, mine: slice = mine, counts: np.ndarray = counts) -> float:
            prior = found[mine] / found[mine].sum() * strength
            told = dirichlet_multinomial.logpmf(counts, prior, counts.sum(axis=1)).sum()
            return float(told + norm.logpdf(np.log(strength), np.log(30.0), 1.5))

        best = max(map(density, np.geomspace(1.0, 3_000.0, 18)))
        assert density(found[mine].sum()) == pytest.approx(best)


def test_what_is_alike_is_predicted_better() -> None:
    """Personas that differ in one choice of thirty say more of new rows once they share the others."""
    random = np.random.default_rng(5)
    choices, things = 30, 4
    common = random.dirichlet(np.ones(things), size=choices)
    kinds = np.stack([common, common])
    kinds[:, 0] = [[0.94, 0.02, 0.02, 0.02], [0.02, 0.02, 0.02, 0.94]]

    def draw(n: int) -> sp.csr_array:
        kind = random.integers(0, 2, size=n)
        counts = [[random.multinomial(6, p) for p in kinds[k]] for k in kind]
        return sp.csr_array(np.reshape(counts, (n, -1)).astype(float))

    origins = np.repeat(np.arange(choices), things)
    data = CountData.merge(draw(24), origins, prior_strength=1.0)
    first = (data.rows[:, [0]].toarray() > 2).astype(float)
    start = data.maximise(np.hstack([first, 1 - first]))
    before, _ = expectation_maximisation(data, start, max_iter=100, tol=1e-5)
    new = draw(400)
    told = [posteriors(p.joint(new))[1].sum() for p in (before, settle(data, before))]
    assert told[1] > told[0]
