"""Personas of journeys: found once on a sample, then given to every journey.

`fit_personas` looks for kinds of journeys in a sample (`models.journey_sample`) and answers with
a `PersonaModel`, plain arrays that travel to any worker. `apply_personas` scores a bucket of
steps with it: a row of `journey_personas` for each journey, and counts that add up over buckets
(`PersonaCounts.total`). `portraits` turns the sum into the tables `personas` and
`persona_features`.

Personas are `p1`, `p2` ... by falling size in the sample. A journey that is too short, or whose
most probable persona has a posterior under .6, is `undetermined`: it counts towards the shares by
its posterior, but belongs to nobody. Where the sample holds no kinds (`models.persona_selection`)
there is one persona, `no_structure`, which all journeys belong to, with no confidence to tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from contracts.config import Personas
from contracts.schemas import table_schema
from models.journey_paths import (
    MoveSpace,
    PathCorpus,
    PathVocabulary,
    count_moves,
    path_corpus,
    path_vocabulary,
)
from models.journey_sample import sample_steps
from models.markov_mixture import MixtureParameters, posteriors
from models.persona_portraits import (
    POSTERIOR_UNIT,
    PersonaCounts,
    distinctive_features,
    exemplar_journeys,
    persona_names,
    share_intervals,
)
from models.persona_selection import Grade, select_personas

__all__ = [
    "NO_STRUCTURE",
    "UNDETERMINED",
    "PersonaModel",
    "apply_personas",
    "assign_personas",
    "fit_personas",
    "portraits",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

UNDETERMINED = "undetermined"
"""The persona of a journey too short or too unsure to have one."""

NO_STRUCTURE = "no_structure"
"""The one persona where there are no kinds of journeys."""

_LEAST_POSTERIOR = 0.6


@dataclass(frozen=True)
class PersonaModel:
    """Personas as found, frozen.

    Attributes
    ----------
    vocabulary : touchpoints and channels of the sample
    columns : the columns of `MoveSpace` that occur in the sample; others tell nothing
    parameters : the mixture over these columns
    persona_ids, names : one a persona
    exemplars : up to three journey ids a persona; the first is the medoid
    grade, stability, reason : how firm the personas are, and why there are none
    fit_journeys : journeys that they were learnt from
    min_touchpoints : shorter journeys are undetermined
    """

    vocabulary: PathVocabulary
    columns: IntArray
    parameters: MixtureParameters
    persona_ids: tuple[str, ...]
    names: tuple[str, ...]
    exemplars: tuple[tuple[str, ...], ...]
    grade: Grade
    stability: float
    reason: str
    fit_journeys: int
    min_touchpoints: int

    @property
    def has_structure(self) -> bool:
        """Whether kinds of journeys were found."""
        return self.persona_ids != (NO_STRUCTURE,)


def fit_personas(sample: pa.Table, config: Personas, random_state: int = 0) -> PersonaModel:
    """Find the personas of a sample of journeys.

    Parameters
    ----------
    sample : pa.Table
        Steps (`journey_id`, `step`, `touchpoint`, `channel`, `dwell_s`) in any order; of more
        than ``config.fit_sample`` journeys those that `models.journey_sample` draws are used.
    config : Personas
        At most how many personas, from journeys of what length, fitted on how many.
    random_state : int
        Seed; the same seed and journeys give the same personas.
    """
    steps = sample_steps(sample, config.fit_sample, config.min_touchpoints)
    corpus = path_corpus(steps, path_vocabulary(steps))
    counts = count_moves(corpus)
    space = MoveSpace(corpus.vocabulary)
    columns = np.unique(counts.indices).astype(np.int64)
    counts = counts[:, columns]
    _, origins = np.unique(space.origins[columns], return_inverse=True)
    found = select_personas(counts, corpus.lengths, origins, config.max_personas, random_state)

    k = found.n_personas
    joint = found.parameters.joint(counts)
    labels = joint.argmax(axis=1)
    likelihood = joint[np.arange(len(labels)), labels] - found.parameters.log_weights[labels]
    posterior, _ = posteriors(joint)
    places = exemplar_journeys(labels, posterior.max(axis=1), corpus.lengths, likelihood, k)
    names: tuple[str, ...] = ("No structure found",)
    if k > 1:
        portrayed = _count(corpus, counts, columns, posterior, labels)
        features = distinctive_features(
            portrayed,
            _feature_names(corpus.vocabulary, columns),
            len(corpus.vocabulary.touchpoints),
        )
        names = persona_names(features)
    return PersonaModel(
        vocabulary=corpus.vocabulary,
        columns=columns,
        parameters=found.parameters,
        persona_ids=tuple(f"p{i}" for i in range(1, k + 1)) if k > 1 else (NO_STRUCTURE,),
        names=names,
        exemplars=tuple(
            tuple(corpus.journey_ids[place].as_py() for place in own) for own in places
        ),
        grade=found.grade,
        stability=found.stability,
        reason=found.reason,
        fit_journeys=len(labels),
        min_touchpoints=config.min_touchpoints,
    )


def apply_personas(
    model: PersonaModel, steps: pa.Table, outcomes: pa.Table | None = None
) -> tuple[pa.Table, PersonaCounts]:
    """Give each journey its persona, and count what the portraits are drawn from.

    Parameters
    ----------
    model : PersonaModel
        From `fit_personas`.
    steps : pa.Table
        All steps of some journeys, in any order.
    outcomes : pa.Table, optional
        `journey_id`, `outcome` (``converted``, ``lapsed`` or ``open``); journeys it lacks count
        as open.

    Returns
    -------
    The rows of `journey_personas`, ascending by `journey_id`, and the counts.
    """
    corpus = path_corpus(steps, model.vocabulary)
    counts = count_moves(corpus)[:, model.columns]
    posterior, _ = posteriors(model.parameters.joint(counts))
    labels = posterior.argmax(axis=1)
    confidence = np.round(posterior.max(axis=1), 6)
    if model.has_structure:
        unsure = (corpus.lengths < model.min_touchpoints) | (confidence < _LEAST_POSTERIOR)
        labels[unsure] = len(model.persona_ids)
    persona = pa.array([*model.persona_ids, UNDETERMINED], pa.string()).take(pa.array(labels))
    table = pa.table(
        {
            "journey_id": corpus.journey_ids,
            "persona_id": persona,
            "confidence": pa.array(confidence, mask=np.full(len(labels), not model.has_structure)),
        },
        schema=table_schema("journey_personas"),
    )
    return table, _count(corpus, counts, model.columns, posterior, labels, outcomes=outcomes)


def assign_personas(model: PersonaModel, steps: pa.Table) -> pa.Table:
    """Give the journeys of `steps` their rows of `journey_personas`."""
    return apply_personas(model, steps)[0]


def portraits(model: PersonaModel, counts: PersonaCounts) -> tuple[pa.Table, pa.Table]:
    """Draw the tables `personas` and `persona_features` from the counts of all journeys."""
    ids = model.persona_ids
    share, low, high = share_intervals(counts, model.fit_journeys).T
    decided = counts.converted + counts.lapsed
    rate = counts.converted / np.maximum(decided, 1)
    personas = pa.table(
        {
            "persona_id": ids,
            "name": model.names,
            "journeys": counts.journeys,
            "share": share,
            "share_low": low,
            "share_high": high,
            "conversion_rate": pa.array(rate, mask=decided == 0),
            "medoid_journey_id": [next(iter(own), None) for own in model.exemplars],
            "grade": [model.grade] * len(ids),
            "stability": pa.array([model.stability] * len(ids), pa.float64(), from_pandas=True),
        },
        schema=table_schema("personas"),
    )
    features = (
        distinctive_features(
            counts,
            _feature_names(model.vocabulary, model.columns),
            len(model.vocabulary.touchpoints),
        )
        if model.has_structure
        else []
    )
    rows = [
        (persona, feature, rank)
        for persona, own in zip(ids, features, strict=False)
        for rank, feature in enumerate(own, start=1)
    ]
    persona_features = pa.table(
        {
            "persona_id": [persona for persona, _, _ in rows],
            "feature": [feature.name for _, feature, _ in rows],
            "share": [feature.share for _, feature, _ in rows],
            "share_others": [feature.share_others for _, feature, _ in rows],
            "log_odds_z": [feature.z for _, feature, _ in rows],
            "rank": [rank for _, _, rank in rows],
        },
        schema=table_schema("persona_features"),
    )
    return personas, persona_features


def _feature_names(vocabulary: PathVocabulary, columns: IntArray) -> tuple[str, ...]:
    """Names of the features that journeys hold: touchpoints, then the moves among `columns`."""
    space = MoveSpace(vocabulary)
    moves = columns[columns < space.n_moves]
    return (*vocabulary.touchpoints, *(space.name(int(move)) for move in moves))


def _count(
    corpus: PathCorpus,
    counts: sp.csr_array,
    columns: IntArray,
    posterior: FloatArray,
    labels: IntArray,
    *,
    outcomes: pa.Table | None = None,
) -> PersonaCounts:
    """Count journeys by persona; a label beyond the personas is no persona."""
    n, k = posterior.shape
    known = corpus.codes >= 0
    visits = sp.csr_array(
        (np.ones(known.sum()), (corpus.rows[known], corpus.codes[known])),
        shape=(n, len(corpus.vocabulary.touchpoints)),
    )
    moves = counts[:, : np.searchsorted(columns, MoveSpace(corpus.vocabulary).n_moves)]
    holds = sp.hstack([visits, moves], format="csr")
    holds.sum_duplicates()
    holds.data[:] = 1.0
    assigned = sp.csr_array((np.ones(n), (np.arange(n), labels)), shape=(n, k + 1))
    holding = (assigned.T @ holds).toarray()[:k]
    units = np.rint(posterior * POSTERIOR_UNIT).astype(np.int64)

    def with_outcome(outcome: str) -> IntArray:
        if outcomes is None:
            return np.zeros(k, np.int64)
        mine = outcomes["journey_id"].filter(pc.equal(outcomes["outcome"], outcome))
        has = pc.is_in(corpus.journey_ids, value_set=mine.combine_chunks().cast(pa.string()))
        return np.bincount(labels[has.to_numpy(zero_copy_only=False)], minlength=k + 1)[:k]

    return PersonaCounts(
        scored=np.array([n]),
        journeys=np.bincount(labels, minlength=k + 1)[:k],
        converted=with_outcome("converted"),
        lapsed=with_outcome("lapsed"),
        posteriors=units.sum(axis=0),
        squares=(units * units // POSTERIOR_UNIT).sum(axis=0),
        holding=holding.astype(np.int64),
    )
