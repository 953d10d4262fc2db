"""Personas of customers and journeys: found once on a sample, then given to everybody.

`fit_personas` looks for kinds of customers in a sample (`models.journey_sample`) and answers with
a `PersonaModel`, plain arrays that travel to any worker. `apply_personas` scores a bucket of steps
with it: a row of `journey_personas` for each journey, one of `customer_personas` for each customer,
and counts that add up over buckets (`PersonaCounts.total`). `models.persona_tables` draws the tables
`personas` and `persona_features` from the sum.

Whether a customer's journeys are pooled is decided by the data: by the *loyalty* of customers to
one persona (`models.customer_pooling`). Where it is under a half, the personas are those of single
journeys, and customers lend them little.

A journey or customer is `undetermined` whose evidence is too short, or whose most probable persona
has a posterior under .6: it counts towards the shares by its posterior, but belongs to nobody.
Where the sample holds no kinds (`models.persona_selection`) there is one persona, `no_structure`,
which all belong to, with no confidence to tell.

A fit is a function of its journeys alone; the ids it gives, `p1`, `p2` ... by falling size, are
replaced by those of the last published model where a persona is known (`models.persona_ledger`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from contracts.config import Personas
from contracts.schemas import table_schema
from models.customer_pooling import Customers, estimate_loyalty, two_level_posteriors
from models.journey_paths import (
    MoveSpace,
    PathCorpus,
    PathVocabulary,
    count_moves,
    encode_sorted,
    path_corpus,
    path_vocabulary,
)
from models.journey_sample import hash_numbers, sample_steps
from models.markov_mixture import CountData, MixtureParameters, posteriors
from models.persona_features import (
    MEASURES,
    UNKNOWN,
    FeatureSpace,
    held_features,
    journey_measures,
    move_names,
)
from models.persona_portraits import POSTERIOR_UNIT, PersonaCounts, exemplar_journeys
from models.persona_selection import (
    PRIOR_STRENGTH,
    Grade,
    Units,
    merge_path,
    search_path,
    select_personas,
)
from models.tfidf_kmeans import count_ngrams, search_kmeans

__all__ = [
    "NO_STRUCTURE",
    "UNDETERMINED",
    "Assignment",
    "PersonaModel",
    "apply_personas",
    "feature_space",
    "fit_personas",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

UNDETERMINED = "undetermined"
"""The persona of whoever is too short or too unsure to have one."""

NO_STRUCTURE = "no_structure"
"""The one persona where there are no kinds."""

_LEAST_POSTERIOR = 0.6
_FIRM = 0.9
_POOLING_LOYALTY = 0.5
_LOYALTY_COMPONENTS = (2, 4, 8)
_SEED = 0


@dataclass(frozen=True)
class PersonaModel:
    """Personas as found, frozen.

    Attributes
    ----------
    vocabulary : touchpoints and channels of the sample
    columns : the columns of `MoveSpace` that occur in the sample; others tell nothing
    parameters : the mixture over these columns, personas by falling size in the sample
    profile : float array of shape (F, K), how often each column occurs in a journey of the persona
    loyalty : how often a journey follows its customer's persona, 0..1
    pooled : whether customers, with all their journeys, were sorted, or single journeys
    persona_ids : one a persona
    exemplars : up to three journey ids a persona; the first is the medoid
    grade, stability, firmness, reason : how firm the personas are, and why there are none
        (`models.persona_selection.Selection`)
    gain : held-out gain over one chain, nats a touchpoint; NaN where it was not measured
    fit_customers, fit_journeys : what they were learnt from
    min_touchpoints : who has fewer is undetermined
    """

    vocabulary: PathVocabulary
    columns: IntArray
    parameters: MixtureParameters
    profile: FloatArray
    loyalty: float
    pooled: bool
    persona_ids: tuple[str, ...]
    exemplars: tuple[tuple[str, ...], ...]
    grade: Grade
    stability: float
    firmness: tuple[float, ...]
    reason: str
    gain: float
    fit_customers: int
    fit_journeys: int
    min_touchpoints: int

    @property
    def has_structure(self) -> bool:
        """Whether kinds were found."""
        return self.persona_ids != (NO_STRUCTURE,)

    def with_ids(self, persona_ids: tuple[str, ...]) -> PersonaModel:
        """Call the personas by other ids."""
        return replace(self, persona_ids=persona_ids)


class Assignment(NamedTuple):
    """Rows of `journey_personas` and of `customer_personas`, each ascending by id, and counts."""

    journeys: pa.Table
    customers: pa.Table
    counts: PersonaCounts


def fit_personas(sample: pa.Table, config: Personas) -> PersonaModel:
    """Find the personas of a sample of customers.

    Parameters
    ----------
    sample : pa.Table
        Steps (`journey_id`, `customer_id`, `step`, `touchpoint`, `channel`, `dwell_s`) in any
        order; of more than ``config.fit_sample`` customers those that `models.journey_sample` draws
        are used.
    config : Personas
        How personas are sought, at most how many, in paths of what length, among how many.
    """
    steps = sample_steps(sample, config.fit_sample, config.min_touchpoints)
    corpus = path_corpus(steps, path_vocabulary(steps))
    customers = Customers.read(steps, corpus.journey_ids)
    counts = count_moves(corpus)
    columns = np.unique(counts.indices).astype(np.int64)
    counts = counts[:, columns]
    _, origins = np.unique(MoveSpace(corpus.vocabulary).origins[columns], return_inverse=True)

    long_enough = corpus.lengths >= config.min_touchpoints
    pooled = _quick_loyalty(counts, long_enough, origins, columns, customers) >= _POOLING_LOYALTY
    if pooled:
        rows, ids = customers.membership, customers.ids
    else:
        rows = sp.eye_array(len(long_enough), format="csr")[np.flatnonzero(long_enough)]
        ids = corpus.journey_ids.filter(pa.array(long_enough))
    units = Units(
        counts=sp.csr_array(rows @ counts),
        lengths=(rows @ corpus.lengths).astype(np.int64),
        numbers=hash_numbers(ids),
        origins=origins,
        columns=columns,
    )
    if config.method == "tfidf_kmeans" and config.n_personas is not None:
        ngrams = sp.csr_array(rows @ count_ngrams(corpus))
        search = search_kmeans(ngrams, config.n_personas, _SEED)
    else:
        search = search_path(config.max_personas, _SEED)
    found = select_personas(units, search)

    k = found.n_personas
    log_weights = found.parameters.log_weights
    likelihood = counts @ found.parameters.log_probabilities
    loyalty = estimate_loyalty(likelihood, log_weights, customers) if k > 1 else 0.0
    posterior, _ = two_level_posteriors(likelihood, log_weights, customers, loyalty)
    best, confidence = posterior.argmax(axis=1), np.round(posterior.max(axis=1), 6)
    evidence = customers.touchpoints(corpus.lengths)[customers.of] if pooled else corpus.lengths
    evident = (evidence >= config.min_touchpoints) & (confidence >= _LEAST_POSTERIOR)
    by_itself, _ = posteriors(likelihood + log_weights)
    places = exemplar_journeys(
        np.where(evident | (k == 1), best, k),
        by_itself[np.arange(len(best)), best],
        corpus.lengths,
        likelihood[np.arange(len(best)), best],
        k,
    )
    weighted = counts.T @ posterior
    return PersonaModel(
        vocabulary=corpus.vocabulary,
        columns=columns,
        parameters=found.parameters,
        profile=weighted / np.maximum(posterior.sum(axis=0), 1.0),
        loyalty=loyalty,
        pooled=pooled,
        persona_ids=tuple(f"p{i}" for i in range(1, k + 1)) if k > 1 else (NO_STRUCTURE,),
        exemplars=tuple(
            tuple(corpus.journey_ids[place].as_py() for place in own) for own in places
        ),
        grade=found.grade,
        stability=found.stability,
        firmness=found.firmness,
        reason=found.reason,
        gain=max(found.gains.values(), default=np.nan) / max(float(units.lengths.mean()), 1.0)
        if len(units)
        else np.nan,
        fit_customers=len(customers.ids),
        fit_journeys=len(best),
        min_touchpoints=config.min_touchpoints,
    )


def apply_personas(
    model: PersonaModel,
    steps: pa.Table,
    journeys: pa.Table | None = None,
    stages: tuple[str, ...] = (),
) -> Assignment:
    """Give each journey and customer a persona, and count what the portraits are drawn from.

    Parameters
    ----------
    model : PersonaModel
        From `fit_personas`.
    steps : pa.Table
        All steps of some customers, in any order; as for `fit_personas`, with `stage` and `csat`.
    journeys : pa.Table, optional
        `journey_id`, `outcome` (``converted``, ``lapsed`` or ``open``), `value`; journeys it lacks
        count as open.
    stages : tuple of str
        The stages in their order.
    """
    corpus = path_corpus(steps, model.vocabulary)
    customers = Customers.read(steps, corpus.journey_ids)
    counts = count_moves(corpus)[:, model.columns]
    of_journeys, of_customers = two_level_posteriors(
        counts @ model.parameters.log_probabilities,
        model.parameters.log_weights,
        customers,
        model.loyalty,
    )
    evidence = customers.touchpoints(corpus.lengths)
    own_evidence = evidence[customers.of] if model.pooled else corpus.lengths
    labels, rows = _memberships(model, of_journeys, own_evidence >= model.min_touchpoints)
    journey_rows = pa.table(
        {
            "journey_id": corpus.journey_ids,
            "customer_id": customers.ids.take(pa.array(customers.of)),
            **rows,
        },
        schema=table_schema("journey_personas"),
    )
    customer_labels, rows = _memberships(model, of_customers, evidence >= model.min_touchpoints)
    customer_rows = pa.table(
        {
            "customer_id": customers.ids,
            "journeys": customers.journeys,
            **rows,
        },
        schema=table_schema("customer_personas"),
    )

    k = len(model.persona_ids)
    _, journey = encode_sorted(steps["journey_id"])
    moves = counts[:, : np.searchsorted(model.columns, MoveSpace(model.vocabulary).n_moves)]
    held = held_features(corpus, moves, stages, steps, journey)
    touchpoints = np.bincount(journey, minlength=len(labels))
    measured = journey_measures(corpus.journey_ids, touchpoints, steps, journey, journeys)
    units = np.rint(of_customers * POSTERIOR_UNIT).astype(np.int64)
    assigned = sp.csr_array(
        (np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(k + 1, len(labels))
    )
    converted, lapsed = (
        _with_outcome(corpus, journeys, outcome, labels, k) for outcome in ("converted", "lapsed")
    )
    counted = PersonaCounts(
        scored=np.array([len(customers.ids)]),
        customers=np.bincount(customer_labels, minlength=k + 1)[:k],
        journeys=np.bincount(labels, minlength=k + 1)[:k],
        converted=converted,
        lapsed=lapsed,
        posteriors=units.sum(axis=0),
        squares=(units * units // POSTERIOR_UNIT).sum(axis=0),
        holding=(assigned @ held).toarray()[:k].astype(np.int64),
        measures=_sums_of_measures(measured, labels, k),
    )
    return Assignment(journey_rows, customer_rows, counted)


def feature_space(model: PersonaModel, stages: tuple[str, ...]) -> FeatureSpace:
    """The features that `apply_personas` counts."""
    space = MoveSpace(model.vocabulary)
    return FeatureSpace.of(
        model.vocabulary.touchpoints,
        model.vocabulary.channels,
        stages,
        move_names(space, model.columns),
    )


def _quick_loyalty(
    counts: sp.csr_array,
    long_enough: npt.NDArray[np.bool_],
    origins: IntArray,
    columns: IntArray,
    customers: Customers,
) -> float:
    """Loyalty under quick mixtures of single journeys; 1 where no customer has two.

    The greatest of those with 8, 4 and 2 components: too many of them split a kind, and
    customers seem to change between its parts.
    """
    if customers.journeys.max(initial=0) < 2 or long_enough.sum() < _LOYALTY_COMPONENTS[-1]:
        return 1.0
    data = CountData.merge(counts[long_enough], origins, PRIOR_STRENGTH, columns)
    path = merge_path(data, _LOYALTY_COMPONENTS[-1], _SEED, _LOYALTY_COMPONENTS[0])
    return max(
        estimate_loyalty(counts @ found.log_probabilities, found.log_weights, customers)
        for found in path
        if len(found.log_weights) in _LOYALTY_COMPONENTS
    )


def _memberships(
    model: PersonaModel, posterior: FloatArray, evident: npt.NDArray[np.bool_]
) -> tuple[IntArray, dict[str, pa.Array]]:
    """Labels (the last is nobody's), and the columns that tell of them."""
    n, k = posterior.shape
    rounded = np.round(posterior, 6)
    order = np.argsort(-rounded, axis=1, kind="stable")
    best = order[:, 0]
    confidence = rounded[np.arange(n), best]
    labels = best.copy()
    ids = pa.array([*model.persona_ids, UNDETERMINED], pa.string())
    if not model.has_structure:
        texts, numbers = pa.nulls(n, pa.string()), pa.nulls(n, pa.float64())
        return labels, {
            "persona_id": ids.take(pa.array(labels)),
            "confidence": numbers,
            "likeliest_id": texts,
            "second_id": texts,
            "second_confidence": numbers,
        }
    labels[~evident | (confidence < _LEAST_POSTERIOR)] = k
    second = order[:, 1]
    return labels, {
        "persona_id": ids.take(pa.array(labels)),
        "confidence": pa.array(confidence),
        "likeliest_id": ids.take(pa.array(best)),
        "second_id": ids.take(pa.array(second)),
        "second_confidence": pa.array(rounded[np.arange(n), second]),
    }


def _with_outcome(
    corpus: PathCorpus, journeys: pa.Table | None, outcome: str, labels: IntArray, k: int
) -> IntArray:
    """Journeys of each persona that ended so."""
    if journeys is None:
        return np.zeros(k, np.int64)
    mine = journeys["journey_id"].filter(pc.equal(journeys["outcome"], outcome))
    has = pc.is_in(corpus.journey_ids, value_set=mine.combine_chunks().cast(pa.string()))
    return np.bincount(labels[has.to_numpy(zero_copy_only=False)], minlength=k + 1)[:k]


def _sums_of_measures(measured: IntArray, labels: IntArray, k: int) -> IntArray:
    """Number, sum and sum of squares of each measure by persona, shape (3, M, K), exactly."""
    sums = np.zeros((3, len(MEASURES), k + 1), np.int64)
    for m, values in enumerate(measured):
        known = values != UNKNOWN
        mine, of = values[known], labels[known]
        for power in range(3):
            np.add.at(sums[power, m], of, mine**power)
    return sums[:, :, :k]
