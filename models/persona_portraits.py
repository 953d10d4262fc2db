"""Portraits of personas: how large they are, what sets them apart, what to call them.

*Size.* The share of a persona is the mean posterior of all journeys, which is nearer the truth
than a count of the assigned ones. Its interval is Wilson's, with each journey counting only as
far as its posterior tells the personas apart: the information on a mixing weight is that of r =
Var(posterior) / (share (1 - share)) journeys apiece [1]_.

*Features.* What sets a persona apart is measured by log-odds with an informative Dirichlet prior
[2]_ on "the journey holds the touchpoint" and "the journey holds the move", each kind for itself.
The prior, 500 observations spread as in all journeys, keeps rare features from winning by chance.

*Names* are made by rule from the most distinctive features; no two personas share one.

*Exemplars* are real journeys that are neither trivial nor odd: of middling length (between the
40% and 80% quantiles), firm (posterior over .9), with the median likelihood a step.

All counts are whole numbers (posteriors in units of 2^-20), so portraits of buckets add up
exactly, in any order.

References
----------
.. [1] D. M. Titterington, A. F. M. Smith, U. E. Makov (1985), "Statistical Analysis of Finite
   Mixture Distributions", section 3.2.
.. [2] B. L. Monroe, M. P. Colaresi, K. M. Quinn (2008), "Fightin' Words", Political Analysis
   16(4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

__all__ = [
    "Feature",
    "PersonaCounts",
    "distinctive_features",
    "exemplar_journeys",
    "log_odds",
    "persona_names",
    "share_intervals",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

POSTERIOR_UNIT = 2**20
"""Posteriors are counted in units of 1 / POSTERIOR_UNIT."""

PRIOR_OBSERVATIONS = 500.0
_Z_95 = 1.959964
_MOST_FEATURES = 10
_LENGTH_QUANTILES = (0.4, 0.8)
_FIRM = 0.9
_EXEMPLARS = 3
_LEAST_SHARE_IN_NAME = 0.1


@dataclass(frozen=True)
class PersonaCounts:
    """What portraits of K personas with F features are drawn from; counts of buckets add up.

    Attributes
    ----------
    scored : int64 array of shape (1,), journeys scored
    journeys, converted, lapsed : int64 arrays of shape (K,), journeys assigned, and those of them
        with that outcome
    posteriors, squares : int64 arrays of shape (K,), sums over all scored journeys of the posterior
        and of its square, in units of 1 / POSTERIOR_UNIT
    holding : int64 array of shape (K, F), assigned journeys that hold the feature
    """

    scored: IntArray
    journeys: IntArray
    converted: IntArray
    lapsed: IntArray
    posteriors: IntArray
    squares: IntArray
    holding: IntArray

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """Add the counts of all parts."""
        every = list(parts)
        return cls(
            **{
                field.name: np.sum([getattr(part, field.name) for part in every], axis=0)
                for field in fields(cls)
            }
        )


@dataclass(frozen=True)
class Feature:
    """A feature that a persona holds more than the others do."""

    name: str
    share: float
    share_others: float
    z: float


def share_intervals(counts: PersonaCounts, fit_journeys: int) -> FloatArray:
    """Shares of the personas with 95% intervals, shape (K, 3): share, low, high.

    `fit_journeys` is the number of journeys that the personas were learnt from; to score more does
    not make the shares more certain than that. The personas themselves are taken as known.
    """
    if len(counts.posteriors) == 1:
        return np.ones((1, 3))
    n = max(int(counts.scored[0]), 1)
    share = counts.posteriors / (n * POSTERIOR_UNIT)
    spread = np.maximum(counts.squares / (n * POSTERIOR_UNIT) - share**2, 0.0)
    binomial = np.maximum(share * (1 - share), 1e-12)
    effective = np.maximum(np.minimum(spread / binomial, 1.0) * min(n, max(fit_journeys, 1)), 1.0)
    centre = (share + _Z_95**2 / (2 * effective)) / (1 + _Z_95**2 / effective)
    reach = np.sqrt(binomial / effective + (_Z_95 / (2 * effective)) ** 2)
    reach *= _Z_95 / (1 + _Z_95**2 / effective)
    return np.stack([share, np.clip(centre - reach, 0, 1), np.clip(centre + reach, 0, 1)], axis=1)


def log_odds(holding: IntArray) -> FloatArray:
    """Log-odds of each feature in a persona against the others, in standard errors.

    Parameters
    ----------
    holding : int array of shape (K, F)
        Journeys of each persona that hold each feature, of one kind.

    Returns
    -------
    z of shape (K, F): above 1.96, the feature is the persona's own more than chance would have it.

    Examples
    --------
    >>> log_odds(np.array([[90, 10], [10, 90]])).round(1).tolist()
    [[6.5, -6.5], [-6.5, 6.5]]
    """
    everyone, n_own = holding.sum(axis=0), holding.sum(axis=1, keepdims=True)
    prior = PRIOR_OBSERVATIONS * (everyone + 0.5) / (everyone.sum() + 0.5 * len(everyone))
    own, others = holding + prior, everyone - holding + prior
    own_rest = n_own + PRIOR_OBSERVATIONS - own
    others_rest = everyone.sum() - n_own + PRIOR_OBSERVATIONS - others
    delta = np.log(own / own_rest) - np.log(others / others_rest)
    return delta / np.sqrt(1 / own + 1 / others)


def distinctive_features(
    counts: PersonaCounts, names: Sequence[str], n_touchpoints: int
) -> list[list[Feature]]:
    """Find at most ten features that set each persona apart, the most distinctive first.

    `names` are those of the columns of ``counts.holding``, of which the first `n_touchpoints` are
    touchpoints and the others moves. Features of equal z come in alphabetic order.
    """
    holding, journeys = counts.holding, counts.journeys[:, None]
    kinds = (holding[:, :n_touchpoints], holding[:, n_touchpoints:])
    z = np.concatenate([log_odds(kind) if kind.shape[1] > 1 else 0.0 * kind for kind in kinds], 1)
    share = holding / np.maximum(journeys, 1)
    share_others = (holding.sum(axis=0) - holding) / np.maximum(journeys.sum() - journeys, 1)
    alphabetic = np.argsort(np.asarray(names, dtype=object), kind="stable")
    found = []
    for k in range(len(holding)):
        order = alphabetic[np.argsort(-z[k, alphabetic], kind="stable")][:_MOST_FEATURES]
        own = [f for f in order if z[k, f] > _Z_95 and share[k, f] > share_others[k, f]]
        found.append(
            [
                Feature(names[f], float(share[k, f]), float(share_others[k, f]), float(z[k, f]))
                for f in own
            ]
        )
    return found


def persona_names(features: Sequence[Sequence[Feature]]) -> tuple[str, ...]:
    """Make a short name for each persona from its features; no two are the same.

    The first feature gives the name, and the next one that speaks of another touchpoint completes
    it. Should two personas come out alike, the later one is told further features, and a number in
    the last resort.

    >>> persona_names([[Feature("ad > email_open", .5, .1, 9.0), Feature("START > ad", .6, .4, 8.0),
    ...     Feature("coupon", .4, .1, 5.0)], []])
    ('Ad then email open, coupon', 'Mixed paths')
    """
    taken: list[str] = []
    for own in features:
        parts: list[str] = []
        told: set[str] = set()
        for feature in own:
            touchpoints = set(feature.name.split(" > ")) - {"START", "END"}
            if feature.share < _LEAST_SHARE_IN_NAME or touchpoints <= told:
                continue
            parts.append(_in_words(feature.name))
            told |= touchpoints
            if len(parts) >= 2 and _title(parts) not in taken:
                break
        name = stem = _title(parts)
        number = 2
        while name in taken:
            name, number = f"{stem} ({number})", number + 1
        taken.append(name)
    return tuple(taken)


def exemplar_journeys(
    labels: IntArray, confidence: FloatArray, lengths: IntArray, log_likelihood: FloatArray, k: int
) -> tuple[tuple[int, ...], ...]:
    """Choose up to three journeys to represent each of k personas; the first is its medoid.

    Parameters
    ----------
    labels : int array of shape (n,)
        Most probable persona of each journey.
    confidence : float array of shape (n,)
        Its posterior.
    lengths : int array of shape (n,)
        Touchpoints of each journey.
    log_likelihood : float array of shape (n,)
        Under the journey's persona, nats.
    k : int
        Number of personas.

    Returns
    -------
    For each persona, positions among the n journeys.

    Notes
    -----
    Journeys that are equally likely, step for step, are taken for the same path and shown once. A
    persona without firm journeys is shown by what it has.
    """
    per_step = np.round(log_likelihood / (lengths + 1), 9)
    chosen = []
    for persona in range(k):
        mine = np.flatnonzero(labels == persona)
        if len(mine):
            low, high = np.quantile(lengths[mine], _LENGTH_QUANTILES)
            middling = mine[(lengths[mine] >= low) & (lengths[mine] <= high)]
            firm = middling[confidence[middling] > _FIRM]
            mine = firm if len(firm) else middling if len(middling) else mine
            _, first = np.unique(per_step[mine], return_index=True)
            distance = np.abs(per_step[mine] - np.median(per_step[mine]))
            mine = mine[first[np.lexsort((first, distance[first]))]]
        chosen.append(tuple(int(place) for place in mine[:_EXEMPLARS]))
    return tuple(chosen)


def _in_words(feature: str) -> str:
    origin, _, target = feature.replace("_", " ").partition(" > ")
    if not target:
        return origin
    if origin == "START":
        return f"starts with {target}"
    return f"ends with {origin}" if target == "END" else f"{origin} then {target}"


def _title(parts: Sequence[str]) -> str:
    text = ", ".join(parts) or "mixed paths"
    return text[0].upper() + text[1:]
