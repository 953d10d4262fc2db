"""What sets personas apart: features that journeys hold, and measures of them.

A *feature* is something a journey holds or does not: a touchpoint, a move, a channel, a stage, a
pace (took longer than a day ...). How much a persona's journeys hold it more than others is told
by log-odds with an informative Dirichlet prior [1]_, each kind of feature for itself; the prior,
500 observations spread as in all journeys, keeps rare features from winning by chance. A *measure*
is a number of a journey (touchpoints, value, satisfaction); means are compared by Welch's
statistic.

All counts are whole numbers, so counts of buckets add up exactly, in any order. They are of
journeys, since a journey is what holds a feature.

References
----------
.. [1] B. L. Monroe, M. P. Colaresi, K. M. Quinn (2008), "Fightin' Words", Political Analysis
   16(4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from models.journey_paths import MoveSpace, PathCorpus

__all__ = [
    "MEASURES",
    "SIGNIFICANT",
    "Feature",
    "FeatureSpace",
    "compare_measures",
    "distinctive_features",
    "held_features",
    "journey_measures",
    "log_odds",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PRIOR_OBSERVATIONS = 500.0
SIGNIFICANT = 1.959964
"""Standard errors beyond which a difference is told."""

MEASURES: tuple[tuple[str, str, int], ...] = (
    ("touchpoints", "mean a journey", 1),
    ("value", "mean a converted journey", 100),
    ("csat", "mean of the journeys that answered, 0..1", 10_000),
)
"""Name, what its number is, and the whole units that 1 is counted in."""

_PACES: tuple[tuple[str, float], ...] = (
    ("over an hour", 3_600.0),
    ("over a day", 86_400.0),
    ("over a week", 604_800.0),
)
_LEAST_HOLDING = 5


@dataclass(frozen=True)
class Feature:
    """A number of a persona, against all other personas together."""

    kind: str
    name: str
    unit: str
    value: float
    value_others: float
    z: float
    q_value: float | None = None


@dataclass(frozen=True)
class FeatureSpace:
    """The features that are counted, in order: of each kind, these names."""

    kinds: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(
        cls,
        touchpoints: Sequence[str],
        channels: Sequence[str],
        stages: Sequence[str],
        moves: Sequence[str],
    ) -> FeatureSpace:
        """The features of a vocabulary."""
        kinds = {
            "touchpoint": touchpoints,
            "channel": channels,
            "stage": stages,
            "pace": [name for name, _ in _PACES],
            "move": moves,
        }
        pairs = [(kind, name) for kind, names in kinds.items() for name in names]
        return cls(*(tuple(part) for part in zip(*pairs, strict=True)))


def held_features(
    corpus: PathCorpus,
    moves: sp.csr_array,
    stages: Sequence[str],
    steps: pa.Table,
    journey: IntArray,
) -> sp.csr_array:
    """Say which features each journey holds.

    Parameters
    ----------
    corpus : PathCorpus of n journeys
    moves : csr_array of shape (n, m)
        Counts of the moves that are features.
    stages : sequence of str
        Names of the stages that are features.
    steps : pa.Table of r rows
        `stage`, `dwell_s`, in any order.
    journey : int array of r
        The journey 0..n-1 of each step.

    Returns
    -------
    csr_array of ones, shape (n, F), columns as in `FeatureSpace`.
    """
    n = len(corpus.journey_ids)
    vocabulary = corpus.vocabulary
    stage = pc.fill_null(
        pc.index_in(steps["stage"].cast(pa.string()), pa.array(stages, pa.string())), -1
    )
    duration_s = np.bincount(
        journey, weights=np.nan_to_num(steps["dwell_s"].to_numpy().astype(np.float64)), minlength=n
    )
    paces = np.stack([duration_s > least for _, least in _PACES], axis=1)
    blocks = [
        _indicator(corpus.rows, corpus.codes, n, len(vocabulary.touchpoints)),
        _indicator(corpus.rows, corpus.channels, n, len(vocabulary.channels)),
        _indicator(journey, stage.to_numpy().astype(np.int64), n, len(stages)),
        sp.csr_array(paces.astype(np.float64)),
        moves,
    ]
    held = sp.csr_array(sp.hstack(blocks, format="csr"))
    held.sum_duplicates()
    held.data[:] = 1.0
    return held


def journey_measures(
    journey_ids: pa.Array,
    touchpoints: IntArray,
    steps: pa.Table,
    journey: IntArray,
    journeys: pa.Table | None,
) -> IntArray:
    """Measures of each of n journeys in whole units, shape (M, n); `UNKNOWN` where there is none.

    `touchpoints` counts those of each journey. `steps` has `csat`, and `journey` says whose each
    is; `journeys` has `journey_id`, `outcome`, `value`, of which that of converted journeys counts.
    """
    n = len(journey_ids)
    measured = np.full((len(MEASURES), n), UNKNOWN)
    measured[0] = touchpoints
    if journeys is not None:
        place = pc.index_in(journey_ids, journeys["journey_id"].cast(pa.string()).combine_chunks())
        value = journeys["value"].cast(pa.float64()).combine_chunks().take(place)
        outcome = journeys["outcome"].cast(pa.string()).combine_chunks().take(place)
        converted = pc.fill_null(pc.equal(outcome, "converted"), False)
        known = pc.and_(converted, pc.is_valid(value)).to_numpy(zero_copy_only=False)
        units = np.rint(pc.fill_null(value, 0.0).to_numpy() * MEASURES[1][2]).astype(np.int64)
        measured[1] = np.where(known, units, UNKNOWN)
    csat = steps["csat"].to_numpy().astype(np.float64)
    answers = ~np.isnan(csat)
    given = np.bincount(journey[answers], minlength=n)
    total = np.bincount(journey[answers], weights=csat[answers], minlength=n)
    mean = np.rint(total / np.maximum(given, 1) * MEASURES[2][2]).astype(np.int64)
    measured[2] = np.where(given > 0, mean, UNKNOWN)
    return measured


UNKNOWN = np.iinfo(np.int64).min
"""Stands for a measure that a journey does not have."""


def log_odds(holding: IntArray, journeys: IntArray | None = None) -> FloatArray:
    """Log-odds of each feature in a persona against the others, in standard errors.

    Parameters
    ----------
    holding : int array of shape (K, F)
        Journeys of each persona that hold each feature, of one kind.
    journeys : int array of K, optional
        Journeys of each persona. Given, a feature's odds are those of being held; else they are
        those of being this feature, among all of the kind that are held, as with words of a text.

    Returns
    -------
    z of shape (K, F): above 1.96, the feature is the persona's own more than chance would have it.

    Examples
    --------
    >>> log_odds(np.array([[90, 10], [10, 90]])).round(1).tolist()
    [[6.5, -6.5], [-6.5, 6.5]]
    """
    everyone = holding.sum(axis=0)
    n_own = holding.sum(axis=1) if journeys is None else journeys
    total = everyone.sum() + 0.5 * len(everyone) if journeys is None else n_own.sum() + 1.0
    prior = PRIOR_OBSERVATIONS * (everyone + 0.5) / total
    own, others = holding + prior, everyone - holding + prior
    own_rest = n_own[:, None] + PRIOR_OBSERVATIONS - own
    others_rest = n_own.sum() - n_own[:, None] + PRIOR_OBSERVATIONS - others
    delta = np.log(own / own_rest) - np.log(others / others_rest)
    return delta / np.sqrt(1 / own + 1 / others)


def distinctive_features(
    space: FeatureSpace, holding: IntArray, journeys: IntArray, most: int
) -> list[list[Feature]]:
    """Find at most `most` features that each persona holds more than the others, firmest first.

    Parameters
    ----------
    space : FeatureSpace
    holding : int array of shape (K, F)
        Journeys of each persona that hold each feature.
    journeys : int array of K
        Journeys of each persona.

    Notes
    -----
    Features of equal z come in alphabetic order.
    """
    kinds = np.asarray(space.kinds, dtype=object)
    z = np.zeros(holding.shape)
    for kind in dict.fromkeys(space.kinds):
        words = kind in ("touchpoint", "move") and (kinds == kind).sum() > 1
        z[:, kinds == kind] = log_odds(holding[:, kinds == kind], None if words else journeys)
    share = holding / np.maximum(journeys[:, None], 1)
    everyone = holding.sum(axis=0)
    share_others = (everyone - holding) / np.maximum(journeys.sum() - journeys[:, None], 1)
    alphabetic = np.lexsort(
        (np.asarray(space.names, dtype=str), np.asarray(space.kinds, dtype=str))
    )
    found = []
    for k in range(len(holding)):
        order = alphabetic[np.argsort(-z[k, alphabetic], kind="stable")]
        own = (z[k] > SIGNIFICANT) & (share[k] > share_others[k]) & (holding[k] >= _LEAST_HOLDING)
        found.append(
            [
                Feature(
                    space.kinds[f],
                    space.names[f],
                    "share of journeys",
                    float(share[k, f]),
                    float(share_others[k, f]),
                    float(z[k, f]),
                )
                for f in order[own[order]][:most]
            ]
        )
    return found


def compare_measures(measures: IntArray) -> list[list[Feature]]:
    """Compare each persona's means with those of the others, whether they differ or not.

    Parameters
    ----------
    measures : int array of shape (3, M, K)
        Journeys that have the measure, its sum and the sum of its squares, in whole units.
    """
    n, total, squares = measures.astype(np.float64)
    found: list[list[Feature]] = [[] for _ in range(n.shape[1])]
    for m, (name, unit, scale) in enumerate(MEASURES):
        for k, own in enumerate(found):
            mine = n[m, k], total[m, k], squares[m, k]
            rest = tuple(sums[m].sum() - sums[m, k] for sums in (n, total, squares))
            if min(mine[0], rest[0]) < _LEAST_HOLDING:
                continue
            (mean, error), (mean_others, error_others) = _mean(*mine), _mean(*rest)
            spread = np.sqrt(error + error_others)
            z = (mean - mean_others) / spread if spread > 0 else 0.0
            own.append(Feature("measure", name, unit, mean / scale, mean_others / scale, float(z)))
    return found


def _mean(n: float, total: float, squares: float) -> tuple[float, float]:
    """Mean, and its squared standard error."""
    mean = total / n
    return mean, max(squares / n - mean**2, 0.0) / max(n - 1, 1.0)


def _indicator(rows: IntArray, columns: IntArray, n: int, size: int) -> sp.csr_array:
    known = columns >= 0
    return sp.csr_array((np.ones(known.sum()), (rows[known], columns[known])), shape=(n, size))


def move_names(corpus_space: MoveSpace, columns: IntArray) -> tuple[str, ...]:
    """Names of the move columns among `columns`."""
    return tuple(corpus_space.name(int(c)) for c in columns[columns < corpus_space.n_moves])
