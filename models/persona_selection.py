"""How many personas the journeys hold, if any.

Criteria that weigh fit against parameters (BIC, AIC, ICL) or judge shapes (silhouette and its
like) fail on paths, and stability alone proves nothing: k-means cuts pure noise the same way
twice. What works is to ask for three things at once.

1. *It predicts.* A mixture fitted on one half of the journeys must give the other half a higher
   likelihood than one chain does, by more than two standard errors.
2. *It comes back.* The personas of two halves must sort the same journeys alike (adjusted Rand
   index, ARI).
3. *It is sharp where it can be.* Long journeys say clearly whose they are. If many stay in doubt,
   tastes vary by degree and there are no kinds.

The *merge path* gives a mixture for every number of personas at little cost: fit many, then merge
the pair whose union loses the least likelihood, let EM settle, and so on down to one. Among the
numbers from the one that reaches 90% of the greatest held-out gain to the one that reaches 99%,
the answer is the largest whose ARI is at least .9 of the best among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import check_random_state

from models.markov_mixture import (
    CountData,
    MixtureParameters,
    best_start,
    expectation_maximisation,
    posteriors,
)

__all__ = ["Grade", "Selection", "merge_path", "select_personas"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

Grade = Literal["strong", "usable", "tentative", "none"]

PRIOR_STRENGTH = 10.0
"""Weight of the prior, observations per origin and persona."""

_FIRST = 16
_STANDARD_ERRORS = 2.0
_WINDOW = (0.90, 0.99)
_NEAR_BEST_STABILITY = 0.9
_GRADES: tuple[tuple[float, Grade], ...] = ((0.8, "strong"), (0.6, "usable"), (0.4, "tentative"))
_TELLING_LENGTH = 5
_LONG_LENGTH = 20
_FIRM = 0.9
_MOST_DOUBTFUL = 0.25
_FEWEST_LONG = 30
_FEWEST_JOURNEYS = 100


@dataclass(frozen=True)
class Selection:
    """What was found.

    Attributes
    ----------
    parameters : the mixture, components by falling weight; a single one if there is no structure
    grade : how firm it is, by `stability`: strong (.8), usable (.6), tentative (.4); or none
    stability : ARI of the two halves' answers; NaN where it was not needed
    reason : why there is no structure, or an empty text
    gains : held-out gain over one chain, nats a journey, for 1, 2, 3 ... personas
    stabilities : ARI of the halves for 1, 2, 3 ... personas
    """

    parameters: MixtureParameters
    grade: Grade
    stability: float
    reason: str
    gains: FloatArray
    stabilities: FloatArray

    @property
    def n_personas(self) -> int:
        """Number of personas; 1 if there is no structure."""
        return len(self.parameters.log_weights)


def select_personas(
    counts: sp.csr_array,
    lengths: IntArray,
    origins: IntArray,
    max_personas: int,
    random_state: int,
) -> Selection:
    """Fit personas in the number that the journeys bear.

    Parameters
    ----------
    counts : csr_array of shape (n, F)
        Moves of journeys (`models.journey_paths.count_moves`), rows in an order that does not
        depend on the input's (ascending `journey_id`).
    lengths : int array of shape (n,)
        Touchpoints of each journey.
    origins : int array of shape (F,)
        The choice that each column is an alternative of.
    max_personas : int
        At most so many.
    random_state : int
        Seed.
    """
    n = counts.shape[0]
    whole = CountData.merge(counts, origins, PRIOR_STRENGTH)
    one = whole.maximise(np.ones((whole.rows.shape[0], 1)))
    if n < _FEWEST_JOURNEYS:
        reason = f"{n} journeys are too few to tell; it takes {_FEWEST_JOURNEYS}"
        return Selection(one, "none", np.nan, reason, np.zeros(1), np.ones(1))

    random = check_random_state(random_state)
    first = max(_FIRST, max_personas)
    half = np.zeros(n, dtype=bool)
    half[random.permutation(n)[: n // 2]] = True
    paths = [
        merge_path(CountData.merge(counts[mine], origins, PRIOR_STRENGTH), first, random)
        for mine in (half, ~half)
    ]
    k_max = min(max_personas, *(len(path) for path in paths))
    telling = lengths >= _TELLING_LENGTH
    telling = telling if telling.sum() >= _FEWEST_LONG else np.ones(n, dtype=bool)
    held_out, stabilities = np.empty((k_max, n)), np.empty(k_max)
    for k in range(1, k_max + 1):
        joints = [path[k - 1].joint(counts) for path in paths]
        labels = [joint[telling].argmax(axis=1) for joint in joints]
        stabilities[k - 1] = adjusted_rand_score(*labels)
        by_first, by_second = (posteriors(joint)[1] for joint in joints)
        held_out[k - 1] = np.where(half, by_second, by_first)
    differences = held_out - held_out[0]
    gains = differences.mean(axis=1)

    best = int(gains.argmax())
    if gains[best] <= _STANDARD_ERRORS * differences[best].std() / np.sqrt(n):
        reason = "journeys held out are predicted no better than by one pattern for all"
        return Selection(one, "none", np.nan, reason, gains, stabilities)
    k = _within_window(gains, stabilities)
    stability = float(stabilities[k - 1])
    grade = next((grade for least, grade in _GRADES if stability >= least), None)
    if grade is None:
        reason = f"two halves of the data disagree on who belongs together (ARI {stability:.2f})"
        return Selection(one, "none", stability, reason, gains, stabilities)

    parameters = merge_path(whole, first, random, last=k)[0]
    doubtful = _doubtful_share(parameters, counts[lengths >= _LONG_LENGTH])
    if doubtful > _MOST_DOUBTFUL:
        reason = f"{doubtful:.0%} of the long journeys fit several patterns: taste, not kinds"
        return Selection(one, "none", stability, reason, gains, stabilities)
    parameters, _ = expectation_maximisation(whole, parameters, max_iter=100, tol=1e-5)
    parameters = parameters.permuted(np.argsort(-parameters.log_weights, kind="stable"))
    return Selection(parameters, grade, stability, "", gains, stabilities)


def merge_path(
    data: CountData, first: int, random_state: np.random.RandomState, last: int = 1
) -> list[MixtureParameters]:
    """Mixtures of `last` components and one more each, up to `first`, each merged from the next."""
    k = min(first, data.rows.shape[0])
    start = best_start(data, k, n_init=10, size=3_000, random_state=random_state)
    parameters, _ = expectation_maximisation(data, start, max_iter=20, tol=1e-4)
    path = [parameters]
    while k > last:
        merged = _merge_closest(data, parameters)
        parameters, _ = expectation_maximisation(data, merged, max_iter=6, tol=1e-4)
        path.append(parameters)
        k -= 1
    return path[::-1]


def _merge_closest(data: CountData, parameters: MixtureParameters) -> MixtureParameters:
    """Merge the pair of components whose union loses the least likelihood."""
    responsibilities, _ = posteriors(parameters.joint(data.rows))
    weighted = responsibilities * data.weights[:, None]
    counts = data.rows.T @ weighted + data.pseudo_counts[:, None]
    sizes = weighted.sum(axis=0)

    def fit(counts: FloatArray, sizes: FloatArray) -> FloatArray:
        """Greatest log likelihood of so many observations by one component each."""
        return _x_log_x(counts) - _x_log_x(data.totals(counts)) + sizes * np.log(sizes + 1e-300)

    alone = fit(counts, sizes)
    k = len(sizes)
    loss = np.full((k, k), np.inf)
    for a in range(k - 1):
        together = fit(counts[:, a, None] + counts[:, a + 1 :], sizes[a] + sizes[a + 1 :])
        loss[a, a + 1 :] = alone[a] + alone[a + 1 :] - together
    a, b = divmod(int(loss.argmin()), k)
    responsibilities[:, a] += responsibilities[:, b]
    return data.maximise(np.delete(responsibilities, b, axis=1))


def _x_log_x(counts: FloatArray) -> FloatArray:
    """Column sums of x log x, with 0 log 0 = 0."""
    return (counts * np.log(np.maximum(counts, 1e-300))).sum(axis=0)


def _within_window(gains: FloatArray, stabilities: FloatArray) -> int:
    """Take the largest number in the window nearly as stable as the best in it; at least 2."""
    least, most = (int(np.argmax(gains >= share * gains.max())) for share in _WINDOW)
    window = np.arange(max(least, 1), max(most, 1) + 1)
    near_best = stabilities[window] >= _NEAR_BEST_STABILITY * stabilities[window].max()
    return int(window[near_best].max()) + 1


def _doubtful_share(parameters: MixtureParameters, long_journeys: sp.csr_array) -> float:
    """Share of the long journeys whose persona is not firm; 0 if there are too few to say."""
    if long_journeys.shape[0] < _FEWEST_LONG:
        return 0.0
    firmness = posteriors(parameters.joint(long_journeys))[0].max(axis=1)
    return float((firmness < _FIRM).mean())
