"""Portraits of personas: how large they are, what to call them, what to say of them.

*Size.* The share of a persona is the mean posterior of all customers, which is nearer the truth
than a count of the assigned ones. Its interval is Wilson's, with each customer counting only as
far as its posterior tells the personas apart: the information on a mixing weight is that of r =
Var(posterior) / (share (1 - share)) customers apiece [1]_.

*Names* are made by rule from the most distinctive features (`models.persona_features`); no two
personas share one.

*Sentences* say one number each, and each number is a row of `persona_features`. The paragraph of a
persona is some of its sentences, so nothing can be said that is not published.

*Exemplars* are real journeys that are neither trivial nor odd: of middling length (between the
40% and 80% quantiles), firm (posterior over .9), with the median likelihood a step.

All counts are whole numbers (posteriors in units of 2^-20), so portraits of buckets add up
exactly, in any order.

References
----------
.. [1] D. M. Titterington, A. F. M. Smith, U. E. Makov (1985), "Statistical Analysis of Finite
   Mixture Distributions", section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from models.persona_features import SIGNIFICANT, Feature

__all__ = [
    "POSTERIOR_UNIT",
    "PersonaCounts",
    "exemplar_journeys",
    "outcome_features",
    "paragraph",
    "persona_names",
    "sentence",
    "share_intervals",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

POSTERIOR_UNIT = 2**20
"""Posteriors are counted in units of 1 / POSTERIOR_UNIT."""

_Z_95 = 1.959964
_LENGTH_QUANTILES = (0.4, 0.8)
_FIRM = 0.9
_EXEMPLARS = 3
_LEAST_SHARE_IN_NAME = 0.1
_PARTS_OF_A_NAME = 2
_KINDS_OF_A_NAME = ("touchpoint", "move")
_IN_PARAGRAPH = (("touchpoint", 2), ("move", 2), ("channel", 1), ("pace", 1))
_ATTRIBUTES_IN_PARAGRAPH = 2


@dataclass(frozen=True)
class PersonaCounts:
    """What portraits of K personas with F features are drawn from; counts of buckets add up.

    Attributes
    ----------
    scored : int64 array of shape (1,), customers scored
    customers, journeys, converted, lapsed : int64 arrays of shape (K,), customers and journeys
        assigned, and the journeys of them with that outcome
    posteriors, squares : int64 arrays of shape (K,), sums over all scored customers of the
        posterior and of its square, in units of 1 / POSTERIOR_UNIT
    holding : int64 array of shape (K, F), assigned journeys that hold the feature
    measures : int64 array of shape (3, M, K), of the assigned journeys that have a measure their
        number, the sum and the sum of squares
    """

    scored: IntArray
    customers: IntArray
    journeys: IntArray
    converted: IntArray
    lapsed: IntArray
    posteriors: IntArray
    squares: IntArray
    holding: IntArray
    measures: IntArray

    def taken_back(self) -> Self:
        """Counts that take these from a total."""
        return type(self)(**{field.name: -getattr(self, field.name) for field in fields(self)})

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


def share_intervals(counts: PersonaCounts, fit_customers: int) -> FloatArray:
    """Shares of the personas with 95% intervals, shape (K, 3): share, low, high.

    `fit_customers` is the number of customers that the personas were learnt from; to score more does
    not make the shares more certain than that. The personas themselves are taken as known.
    """
    if len(counts.posteriors) == 1:
        return np.ones((1, 3))
    n = max(int(counts.scored[0]), 1)
    share = counts.posteriors / (n * POSTERIOR_UNIT)
    spread = np.maximum(counts.squares / (n * POSTERIOR_UNIT) - share**2, 0.0)
    binomial = np.maximum(share * (1 - share), 1e-12)
    effective = np.maximum(np.minimum(spread / binomial, 1.0) * min(n, max(fit_customers, 1)), 1.0)
    centre = (share + _Z_95**2 / (2 * effective)) / (1 + _Z_95**2 / effective)
    reach = np.sqrt(binomial / effective + (_Z_95 / (2 * effective)) ** 2)
    reach *= _Z_95 / (1 + _Z_95**2 / effective)
    return np.stack([share, np.clip(centre - reach, 0, 1), np.clip(centre + reach, 0, 1)], axis=1)


def outcome_features(counts: PersonaCounts) -> list[Feature | None]:
    """Compare each persona's conversion with that of the others; None where nothing has ended."""
    converted, ended = counts.converted, counts.converted + counts.lapsed
    found: list[Feature | None] = []
    for own, n in zip(converted, ended, strict=True):
        rest, m = converted.sum() - own, ended.sum() - n
        if not n or not m:
            found.append(None)
            continue
        pooled = (own + rest) / (n + m)
        error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        z = (own / n - rest / m) / error if error > 0 else 0.0
        unit = "share of ended journeys"
        found.append(
            Feature("outcome", "converted", unit, float(own / n), float(rest / m), float(z))
        )
    return found


def persona_names(
    features: Sequence[Sequence[Feature]], taken: Sequence[str] = ()
) -> tuple[str, ...]:
    """Make a short name for each persona from its features; no two are the same, nor one of `taken`.

    The most distinctive touchpoint or move gives the name, and the next one that speaks of another
    touchpoint completes it. Should two personas come out alike, the later one is told further
    features, and a number in the last resort.

    >>> of = lambda kind, name, share: Feature(kind, name, "", share, 0.1, 9.0)
    >>> persona_names([[of("move", "ad > email_open", 0.5), of("move", "START > ad", 0.6),
    ...     of("touchpoint", "coupon", 0.4)], []])
    ('Ad then email open, coupon', 'Mixed paths')
    """
    known = [*taken]
    for own in features:
        parts: list[str] = []
        told: set[str] = set()
        for feature in own:
            touchpoints = set(feature.name.split(" > ")) - {"START", "END"}
            if (
                feature.kind not in _KINDS_OF_A_NAME
                or feature.value < _LEAST_SHARE_IN_NAME
                or touchpoints <= told
            ):
                continue
            parts.append(_in_words(feature.name))
            told |= touchpoints
            if len(parts) >= _PARTS_OF_A_NAME and _title(parts) not in known:
                break
        name = stem = _title(parts)
        number = 2
        while name in known:
            name, number = f"{stem} ({number})", number + 1
        known.append(name)
    return tuple(known[len(taken) :])


def sentence(feature: Feature) -> str:
    """Say a feature's number.

    >>> sentence(Feature("move", "ad > web_shop", "share of journeys", 0.5, 0.104, 9.0))
    "In 50% of their journeys 'web shop' follows 'ad', against 10% of the others'."
    >>> sentence(Feature("attributes", "all", "", 0, 37, float("nan")))
    'Of 37 values of attributes that were tested, none set them apart from the others.'
    >>> sentence(Feature("measure", "touchpoints", "mean a journey", 7.25, 4.0, 9.0))
    'A journey of theirs has 7.2 touchpoints on average, against 4.0 elsewhere.'
    """
    name = feature.name.replace("_", " ")
    if feature.kind == "measure":
        mine, others = feature.value, feature.value_others
        return {
            "touchpoints": f"A journey of theirs has {mine:.1f} touchpoints on average, "
            f"against {others:.1f} elsewhere.",
            "value": f"A converted journey of theirs is worth {mine:,.2f} on average, "
            f"against {others:,.2f} elsewhere.",
            "csat": f"Their mean satisfaction is {mine:.2f} of 1, against {others:.2f} elsewhere.",
        }[feature.name]
    if feature.kind == "attributes":
        differ = f"{feature.value:,.0f}" if feature.value else "none"
        return (
            f"Of {feature.value_others:,.0f} values of attributes that were tested, {differ} set "
            "them apart from the others."
        )
    own, others_share = _percent(feature.value), _percent(feature.value_others)
    against = f", against {others_share} of the others'."
    if feature.kind == "size":
        return f"About {own} of all customers are like this."
    if feature.kind == "outcome":
        return f"{own} of their ended journeys converted{against}"
    if feature.kind == "attribute":
        return f"{own} of those of whom it is known have {name}, against {others_share} of others."
    if feature.kind == "move":
        origin, _, target = name.partition(" > ")
        if origin == "START":
            return f"{own} of their journeys start with '{target}'{against}"
        if target == "END":
            return f"{own} of their journeys end with '{origin}'{against}"
        return f"In {own} of their journeys '{target}' follows '{origin}'{against}"
    verb = {"channel": "use the channel", "stage": "reach the stage", "pace": "take"}
    what = name if feature.kind == "pace" else f"'{name}'"
    return f"{own} of their journeys {verb.get(feature.kind, 'hold')} {what}{against}"


def paragraph(features: Sequence[Feature]) -> str:
    """Say the most telling of a persona's features, in the order of `sentence`'s kinds.

    Size comes first, then what they do, where and how fast, then outcome, measures and attributes
    where they differ by more than chance.
    """
    told = [feature for feature in features if feature.kind == "size"]
    for kind, most in _IN_PARAGRAPH:
        told += [feature for feature in features if feature.kind == kind][:most]
    told += [
        feature
        for feature in features
        if feature.kind in ("outcome", "measure") and abs(feature.z) > SIGNIFICANT
    ]
    told += [feature for feature in features if feature.kind == "attributes"]
    told += [feature for feature in features if feature.kind == "attribute"][
        :_ATTRIBUTES_IN_PARAGRAPH
    ]
    return " ".join(sentence(feature) for feature in told)


def exemplar_journeys(
    labels: IntArray, confidence: FloatArray, lengths: IntArray, log_likelihood: FloatArray, k: int
) -> tuple[tuple[int, ...], ...]:
    """Choose up to three journeys to represent each of k personas; the first is its medoid.

    Parameters
    ----------
    labels : int array of shape (n,)
        Most probable persona of each journey.
    confidence : float array of shape (n,)
        Its posterior, from this journey alone: an exemplar has to speak for itself.
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
    persona without firm journeys is shown by the firmest fifth of what it has.
    """
    per_step = np.round(log_likelihood / (lengths + 1), 9)
    chosen = []
    for persona in range(k):
        mine = np.flatnonzero(labels == persona)
        if len(mine):
            low, high = np.quantile(lengths[mine], _LENGTH_QUANTILES)
            middling = mine[(lengths[mine] >= low) & (lengths[mine] <= high)]
            mine = middling if len(middling) else mine
            mine = mine[confidence[mine] >= min(_FIRM, np.quantile(confidence[mine], 0.8))]
            _, first = np.unique(per_step[mine], return_index=True)
            distance = np.abs(per_step[mine] - np.median(per_step[mine]))
            mine = mine[first[np.lexsort((first, distance[first]))]]
        chosen.append(tuple(int(place) for place in mine[:_EXEMPLARS]))
    return tuple(chosen)


def _percent(share: float) -> str:
    """A share in words: whole percents, a decimal below one.

    >>> _percent(0.254), _percent(0.0042), _percent(0.0)
    ('25%', '0.4%', '0%')
    """
    return f"{share:.1%}" if 0 < share < 0.0095 else f"{share:.0%}"


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
