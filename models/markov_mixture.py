"""A mixture of first-order Markov chains, fitted by EM on sparse counts.

Each journey is drawn from one of K chains over the touchpoints; the chain says where journeys
start, what follows what, and where they end. The likelihood of a journey needs only its counts of
moves (`models.journey_paths.count_moves`), so the chains are a mixture of *multinomials with
origins*: the columns that share an origin are the alternatives of one choice. Channels and gaps
enter as more origins. With a single origin this is the plain multinomial mixture.

EM [1]_ alternates posteriors (one sparse product) and weighted counts (another). Three things
make it fast and steady: equal rows are merged first, several random starts compete on a subsample
and only the best is finished on all rows, and a Dirichlet prior draws every choice towards the
pooled one, so that a rare origin is not taken for a difference. What is maximised, and never
falls from one iteration to the next, is log likelihood plus log prior.

Starts are drawn *consistently*: a row's lot is a hash of its content, so data that gained a few
rows begin from nearly the same rows, and mostly end in the same place.

References
----------
.. [1] I. Cadez, D. Heckerman, C. Meek, P. Smyth, S. White (2003), "Model-based clustering and
   visualization of navigation patterns on a web site", Data Mining and Knowledge Discovery 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import ClusterMixin, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from models.count_estimator import CountEstimator

__all__ = [
    "CountData",
    "MarkovMixture",
    "MixtureParameters",
    "best_start",
    "expectation_maximisation",
    "posteriors",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
HashArray = npt.NDArray[np.uint64]


class MixtureParameters(NamedTuple):
    """Log weights, shape (K,), and log probabilities, shape (F, K), of K components."""

    log_weights: FloatArray
    log_probabilities: FloatArray

    def joint(self, rows: sp.csr_array) -> FloatArray:
        """Log of weight times likelihood, shape (n, K)."""
        return rows @ self.log_probabilities + self.log_weights

    def permuted(self, order: IntArray) -> MixtureParameters:
        """Put the components in another order."""
        return MixtureParameters(self.log_weights[order], self.log_probabilities[:, order])


@dataclass(frozen=True)
class CountData:
    """Counts with equal rows merged, and the prior that goes with them.

    Attributes
    ----------
    rows : csr_array of shape (u, F), distinct rows in an order that depends on their content only
    weights : float array of u, how often each occurs
    keys : uint64 array of u, hash of each row's content, ascending
    pseudo_counts : float array of F, the Dirichlet prior: pooled shares times its strength
    origins : int array of F, the choice that each column is an alternative of
    """

    rows: sp.csr_array
    weights: FloatArray
    keys: HashArray
    pseudo_counts: FloatArray
    origins: IntArray

    @classmethod
    def merge(
        cls,
        counts: sp.csr_array,
        origins: IntArray,
        prior_strength: float,
        columns: IntArray | None = None,
    ) -> CountData:
        """Merge equal rows.

        `prior_strength` is the prior's weight per origin, in observations. `columns` are numbers
        that the columns keep when others come or go; default: their positions.
        """
        names = np.arange(counts.shape[1]) if columns is None else columns
        column_keys = _mix(names.astype(np.uint64) + np.uint64(1))
        bits = counts.data.astype(np.float64).view(np.uint64)
        hashed = _mix(bits ^ column_keys[counts.indices])
        cells = sp.csr_array((hashed, counts.indices, counts.indptr), shape=counts.shape)
        keys, first, weights = np.unique(
            cells.sum(axis=1, dtype=np.uint64), return_index=True, return_counts=True
        )
        pooled = np.asarray(counts.sum(axis=0), dtype=np.float64) + 0.5
        shares = pooled / np.bincount(origins, weights=pooled)[origins]
        return cls(
            counts[first], weights.astype(np.float64), keys, prior_strength * shares, origins
        )

    def lots(self, salt: int) -> FloatArray:
        """A number of 0..1 for each row, as good as random, that its content and `salt` decide."""
        return (_mix(self.keys ^ _mix(np.array([salt], np.uint64))) >> np.uint64(11)) / 2.0**53

    def sample(self, size: int, salt: int) -> CountData:
        """`size` rows without replacement, the heavier more often; itself if it has no more."""
        if self.rows.shape[0] <= size:
            return self
        race = -np.log(self.lots(salt) + 2.0**-54) / self.weights
        chosen = np.sort(np.argpartition(race, size)[:size])
        return CountData(
            self.rows[chosen],
            self.weights[chosen],
            self.keys[chosen],
            self.pseudo_counts,
            self.origins,
        )

    def maximise(self, responsibilities: FloatArray) -> MixtureParameters:
        """Parameters of greatest posterior density, given responsibilities of shape (u, K)."""
        weighted = responsibilities * self.weights[:, None]
        sizes = weighted.sum(axis=0) + 1.0
        counts = self.rows.T @ weighted + self.pseudo_counts[:, None]
        return MixtureParameters(
            np.log(sizes / sizes.sum()), np.log(counts) - np.log(self.totals(counts))[self.origins]
        )

    def totals(self, counts: FloatArray) -> FloatArray:
        """Sum (F, K) or (F,) counts over the alternatives of each origin."""
        return self._alternatives @ counts

    @cached_property
    def _alternatives(self) -> sp.csr_array:
        """Indicator of shape (origins, F)."""
        n, f = self.origins.max(initial=-1) + 1, len(self.origins)
        return sp.csr_array((np.ones(f), (self.origins, np.arange(f))), shape=(n, f))

    def log_prior(self, parameters: MixtureParameters) -> float:
        """Log density of the prior up to a constant."""
        return float(
            (self.pseudo_counts @ parameters.log_probabilities).sum() + parameters.log_weights.sum()
        )


def expectation_maximisation(
    data: CountData, start: MixtureParameters, max_iter: int, tol: float
) -> tuple[MixtureParameters, list[float]]:
    """Run EM from `start`.

    It ends after `max_iter` iterations, or when one gains less than `tol` nats a journey.

    Returns
    -------
    Parameters, and the objective (log likelihood plus log prior, nats) before each iteration.
    """
    objectives: list[float] = []
    parameters = start
    for _ in range(max_iter):
        posterior, log_likelihood = posteriors(parameters.joint(data.rows))
        objectives.append(float(data.weights @ log_likelihood) + data.log_prior(parameters))
        if len(objectives) > 1 and objectives[-1] - objectives[-2] < tol * data.weights.sum():
            break
        parameters = data.maximise(posterior)
    return parameters, objectives


class MarkovMixture(DensityMixin, ClusterMixin, CountEstimator):
    """Mixture of first-order Markov chains over count rows.

    Parameters
    ----------
    n_components : int
        Number of chains K.
    origins : int array of shape (n_features,), or None
        For each column the choice it is an alternative of, as `MoveSpace.origins`; None for one
        choice only.
    prior_strength : float
        Weight of the prior, in observations per origin and component.
    n_init : int
        Random starts.
    init_size : int
        Rows of the subsample that the starts compete on.
    max_iter, tol : int, float
        EM ends after so many iterations, or when one gains less nats a journey.
    random_state : int, RandomState or None
        Seed.

    Attributes
    ----------
    parameters_ : MixtureParameters, components by falling weight
    objectives_ : list of float, log likelihood plus log prior by iteration; it never falls
    labels_ : int array of shape (n_samples,), most probable component of each training row
    n_iter_ : int
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[3, 0, 1], [4, 0, 0], [0, 5, 1], [0, 3, 0]])
    >>> MarkovMixture(2, prior_strength=0.1, random_state=0).fit(X).labels_.tolist() in (
    ...     [0, 0, 1, 1], [1, 1, 0, 0])
    True
    """

    def __init__(
        self,
        n_components: int = 8,
        *,
        origins: IntArray | None = None,
        prior_strength: float = 5.0,
        n_init: int = 10,
        init_size: int = 3_000,
        max_iter: int = 100,
        tol: float = 1e-5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.origins = origins
        self.prior_strength = prior_strength
        self.n_init = n_init
        self.init_size = init_size
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> Self:
        """Fit to counts of shape (n_samples, n_features), sparse or dense, none negative."""
        counts = self.counts(X, reset=True)
        if counts.shape[0] < self.n_components:
            raise ValueError(
                f"n_samples={counts.shape[0]} should be at least n_components={self.n_components}"
            )
        origins = np.zeros(counts.shape[1], np.int64) if self.origins is None else self.origins
        if len(origins) != counts.shape[1]:
            raise ValueError(f"{len(origins)} origins for {counts.shape[1]} columns; give one each")
        data = CountData.merge(counts, np.asarray(origins), self.prior_strength)
        start = best_start(
            data,
            self.n_components,
            self.n_init,
            self.init_size,
            int(check_random_state(self.random_state).randint(2**31)),
        )
        parameters, self.objectives_ = expectation_maximisation(
            data, start, self.max_iter, self.tol
        )
        self.parameters_ = parameters.permuted(np.argsort(-parameters.log_weights, kind="stable"))
        self.n_iter_ = len(self.objectives_)
        self.labels_ = self.parameters_.joint(counts).argmax(axis=1)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """Posterior of each component, shape (n_samples, K); rows sum to 1."""
        return posteriors(self._joint(X))[0]

    def predict(self, X: Any) -> IntArray:
        """Most probable component of each row."""
        return self._joint(X).argmax(axis=1)

    def score_samples(self, X: Any) -> FloatArray:
        """Log likelihood of each row, nats (the multinomial coefficient left out)."""
        return posteriors(self._joint(X))[1]

    def score(self, X: Any, y: object = None) -> float:
        """Mean log likelihood of a row, nats."""
        return float(self.score_samples(X).mean())

    def _joint(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        return self.parameters_.joint(self.counts(X, reset=False))


def best_start(data: CountData, k: int, n_init: int, size: int, seed: int) -> MixtureParameters:
    """Run `n_init` short EMs on a subsample, each component begun from 3 rows; the best wins.

    All run a few iterations, and only the best third goes on.
    """
    few = data.sample(size, seed)
    starts = []
    for run in range(n_init):
        seeds = np.zeros((few.rows.shape[0], k))
        for component in range(k):
            lots = few.lots((seed * n_init + run) * _MOST_COMPONENTS + component)
            chosen = np.argsort(lots, kind="stable")[:_SEEDS]
            seeds[chosen, component] = 1.0 / few.weights[chosen]
        starts.append(few.maximise(seeds)._replace(log_weights=np.full(k, -np.log(k))))
    for iterations in _START_ITERATIONS:
        runs = [expectation_maximisation(few, start, iterations, 1e-4) for start in starts]
        runs.sort(key=lambda run: run[1][-1], reverse=True)
        starts = [parameters for parameters, _ in runs[: -(-n_init // 3)]]
    return starts[0]


_SEEDS = 3
_MOST_COMPONENTS = 1_000
_START_ITERATIONS = (6, 14)


def posteriors(joint: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Posteriors and log likelihoods of rows of joint log densities; overwrites `joint`."""
    # Down the long columns: numpy is slow along short rows.
    top = np.ascontiguousarray(joint.T).max(axis=0)[:, None]
    np.subtract(joint, top, out=joint)
    np.exp(joint, out=joint)
    total = joint.sum(axis=1, keepdims=True)
    np.divide(joint, total, out=joint)
    return joint, (np.log(total) + top)[:, 0]


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64-bit integers (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
