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

A fourth, *It is somebody*, takes out what is too small to be a kind: a persona holds at least 1% of
the units and 30 of them.

The *merge path* gives a mixture for every number of personas at little cost: fit many, then merge
the pair whose union loses the least likelihood, let EM settle, and so on down to one. Among the
numbers from the one that reaches 90% of the greatest held-out gain to the one that reaches 99%,
the answer is the largest whose ARI is at least .9 of the best among them.

What is sorted are *units*: customers with all their journeys, or single journeys
(`models.customer_pooling`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from models.markov_mixture import (
    CountData,
    MixtureParameters,
    best_start,
    expectation_maximisation,
    posteriors,
)
from models.shared_habits import settle

__all__ = ["Grade", "Search", "Selection", "Units", "merge_path", "search_path", "select_personas"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Grade = Literal["strong", "usable", "tentative", "none"]

PRIOR_STRENGTH = 10.0
"""Weight of the prior while personas are sought, observations per origin and persona."""

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
_FEWEST_UNITS = 100
_LEAST_SHARE = 0.01
_FEWEST_MEMBERS = 30


@dataclass(frozen=True)
class Units:
    """What personas are sought among: n customers or journeys.

    Attributes
    ----------
    counts : csr_array of shape (n, F), moves (`models.journey_paths.count_moves`)
    lengths : int array of n, touchpoints
    numbers : uint64 array of n, a hash of each unit's id, which decides its half of the data
    origins : int array of F, the choice that each column is an alternative of
    columns : int array of F, numbers that the columns keep when others come or go
    """

    counts: sp.csr_array
    lengths: IntArray
    numbers: npt.NDArray[np.uint64]
    origins: IntArray
    columns: IntArray

    def __len__(self) -> int:
        return len(self.lengths)

    def data(self, mine: BoolArray | slice = slice(None)) -> CountData:
        """Merge the counts of some units."""
        return CountData.merge(self.counts[mine], self.origins, PRIOR_STRENGTH, self.columns)


Search = Callable[[Units, BoolArray | slice, int], Mapping[int, MixtureParameters]]
"""Fits mixtures to some of the units: one for each number of personas that may be chosen, from the
given number up."""


@dataclass(frozen=True)
class Selection:
    """What was found.

    Attributes
    ----------
    parameters : the mixture, components by falling weight; a single one if there is no structure
    grade : how firm it is, by `stability`: strong (.8), usable (.6), tentative (.4); or none
    stability : ARI of the two halves' answers; NaN where it was not needed
    firmness : for each persona, how well both halves find it: mean Jaccard index of its members with
        those of the most similar persona of a half
    reason : why there is no structure, or an empty text
    gains : held-out gain over one chain, nats a unit, for each number of personas tried
    stabilities : ARI of the halves for each number of personas tried
    """

    parameters: MixtureParameters
    grade: Grade
    stability: float
    firmness: tuple[float, ...]
    reason: str
    gains: Mapping[int, float]
    stabilities: Mapping[int, float]

    @property
    def n_personas(self) -> int:
        """Number of personas; 1 if there is no structure."""
        return len(self.parameters.log_weights)


def search_path(max_personas: int, seed: int) -> Search:
    """Search every number of personas up to `max_personas` along the merge path.

    The least number asked for is settled (`models.shared_habits`): it is the one to keep.
    """

    def search(units: Units, mine: BoolArray | slice, least: int) -> dict[int, MixtureParameters]:
        data = units.data(mine)
        path = merge_path(data, max(_FIRST, max_personas), seed, least)
        if least > 1:
            path[0] = settle(data, path[0])
        return {k: found for k, found in enumerate(path, start=least) if k <= max_personas}

    return search


def select_personas(units: Units, search: Search) -> Selection:
    """Fit personas in the number that the units bear.

    The order of the units does not matter.
    """
    whole = units.data()
    one = whole.maximise(np.ones((whole.rows.shape[0], 1)))
    n = len(units)
    if n < _FEWEST_UNITS:
        reason = f"{n} are too few to tell; it takes {_FEWEST_UNITS} with paths long enough"
        return Selection(one, "none", np.nan, (np.nan,), reason, {}, {})

    half = (units.numbers & np.uint64(1)).astype(bool)
    paths = [search(units, mine, 1) for mine in (half, ~half)]
    sizes = sorted(paths[0].keys() & paths[1].keys())
    telling = units.lengths >= _TELLING_LENGTH
    telling = telling if telling.sum() >= _FEWEST_LONG else np.ones(n, dtype=bool)
    held_out, stabilities = np.empty((len(sizes), n)), np.empty(len(sizes))
    for place, k in enumerate(sizes):
        joints = [path[k].joint(units.counts) for path in paths]
        stabilities[place] = adjusted_rand_score(*(j[telling].argmax(axis=1) for j in joints))
        by_first, by_second = (posteriors(joint)[1] for joint in joints)
        held_out[place] = np.where(half, by_second, by_first)
    differences = held_out - held_out[0]
    gains = differences.mean(axis=1)
    tried = dict(zip(sizes, gains.tolist(), strict=True))
    agreed = dict(zip(sizes, stabilities.tolist(), strict=True))

    def none(reason: str, stability: float = np.nan) -> Selection:
        return Selection(one, "none", stability, (np.nan,), reason, tried, agreed)

    best = int(gains.argmax())
    if gains[best] <= _STANDARD_ERRORS * differences[best].std() / np.sqrt(n):
        return none("what was held out is predicted no better than by one pattern for all")
    place = _within_window(gains, stabilities)
    stability = float(stabilities[place])
    grade = next((grade for least, grade in _GRADES if stability >= least), None)
    if grade is None:
        return none(
            f"two halves of the data disagree on who belongs together (ARI {stability:.2f})",
            stability,
        )
    k = sizes[place]
    parameters = search(units, slice(None), k)[k]
    parameters = _without_the_tiny(whole, parameters)
    if len(parameters.log_weights) == 1:
        return none(f"no second pattern holds for {_FEWEST_MEMBERS} and 1%", stability)
    doubtful = _doubtful_share(parameters, units.counts[units.lengths >= _LONG_LENGTH])
    if doubtful > _MOST_DOUBTFUL:
        reason = f"{doubtful:.0%} of the long paths fit several patterns: taste, not kinds"
        return none(reason, stability)
    parameters = parameters.permuted(np.argsort(-parameters.log_weights, kind="stable"))
    firmness = _firmness(units, telling, parameters, [path[k] for path in paths])
    return Selection(parameters, grade, stability, firmness, "", tried, agreed)


def merge_path(data: CountData, first: int, seed: int, last: int = 1) -> list[MixtureParameters]:
    """Mixtures of `last` components and one more each, up to `first`, each merged from the next."""
    k = min(first, data.rows.shape[0])
    start = best_start(data, k, n_init=10, size=3_000, seed=seed)
    parameters, _ = expectation_maximisation(data, start, max_iter=20, tol=1e-4)
    path = [parameters]
    while k > last:
        merged = _merge_closest(data, parameters)
        parameters, _ = expectation_maximisation(data, merged, max_iter=6, tol=1e-4)
        path.append(parameters)
        k -= 1
    return path[::-1]


def _without_the_tiny(data: CountData, parameters: MixtureParameters) -> MixtureParameters:
    """Merge whoever is too small to be a kind into the most similar, until nobody is."""
    least = max(_FEWEST_MEMBERS, _LEAST_SHARE * data.weights.sum())
    while len(parameters.log_weights) > 1:
        responsibilities, _ = posteriors(parameters.joint(data.rows))
        sizes = data.weights @ responsibilities
        smallest = int(sizes.argmin())
        if sizes[smallest] >= least:
            break
        merged = _merge_closest(data, parameters, smallest)
        parameters, _ = expectation_maximisation(data, merged, max_iter=100, tol=1e-5)
    return parameters


def _merge_closest(
    data: CountData, parameters: MixtureParameters, one: int | None = None
) -> MixtureParameters:
    """Merge the pair of components whose union loses the least likelihood; `one` of them if given."""
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
    if one is not None:
        others = np.arange(k) != one
        loss[np.ix_(others, others)] = np.inf
    a, b = divmod(int(loss.argmin()), k)
    responsibilities[:, a] += responsibilities[:, b]
    return data.maximise(np.delete(responsibilities, b, axis=1))


def _x_log_x(counts: FloatArray) -> FloatArray:
    """Column sums of x log x, with 0 log 0 = 0."""
    return (counts * np.log(np.maximum(counts, 1e-300))).sum(axis=0)


def _within_window(gains: FloatArray, stabilities: FloatArray) -> int:
    """Place of the largest number in the window nearly as stable as the best in it; not the first."""
    least, most = (int(np.argmax(gains >= share * gains.max())) for share in _WINDOW)
    window = np.arange(max(least, 1), max(most, 1) + 1)
    best = stabilities[window].max()  # below 0 where the halves agree less than by chance
    near_best = stabilities[window] >= min(_NEAR_BEST_STABILITY * best, best)
    return int(window[near_best].max())


def _firmness(
    units: Units, telling: BoolArray, found: MixtureParameters, halves: list[MixtureParameters]
) -> tuple[float, ...]:
    """Mean over the halves of each persona's Jaccard index with the one most like it."""
    k = len(found.log_weights)
    mine, *theirs = (
        parameters.joint(units.counts[telling]).argmax(axis=1) for parameters in (found, *halves)
    )
    overlaps = []
    for labels in theirs:
        shared = np.zeros((k, labels.max(initial=0) + 1))
        np.add.at(shared, (mine, labels), 1.0)
        either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
        overlaps.append((shared / np.maximum(either, 1.0)).max(axis=1))
    return tuple(np.mean(overlaps, axis=0).round(6).tolist())


def _doubtful_share(parameters: MixtureParameters, long_journeys: sp.csr_array) -> float:
    """Share of the long journeys whose persona is not firm; 0 if there are too few to say."""
    if long_journeys.shape[0] < _FEWEST_LONG:
        return 0.0
    firmness = posteriors(parameters.joint(long_journeys))[0].max(axis=1)
    return float((firmness < _FIRM).mean())
