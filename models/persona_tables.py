"""The tables `personas` and `persona_features`, drawn from the counts of all customers.

Every number that is said of a persona is a row of `persona_features` with its sentence: the share,
what the journeys hold more than others' do, how they end, what they are worth, how content they
are, and in which attributes its customers differ (`models.persona_attributes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from contracts.schemas import table_schema
from models.persona_attributes import Difference
from models.persona_features import Feature, compare_measures, distinctive_features
from models.persona_portraits import (
    PersonaCounts,
    outcome_features,
    paragraph,
    persona_names,
    sentence,
    share_intervals,
)
from models.persona_selection import Grade
from models.personas import PersonaModel, feature_space

__all__ = ["draw_portraits"]

_MOST_FEATURES = 12
_GRADES: tuple[tuple[float, Grade], ...] = ((0.75, "strong"), (0.6, "usable"), (0.0, "tentative"))
"""Grade of a persona by its firmness: a Jaccard index of three quarters is a stable cluster, one of
a half a dissolved one (C. Hennig 2007, Computational Statistics & Data Analysis 52)."""
_ORDER: tuple[Grade, ...] = ("none", "tentative", "usable", "strong")


def draw_portraits(
    model: PersonaModel,
    counts: PersonaCounts,
    stages: tuple[str, ...] = (),
    differences: Mapping[str, Sequence[Difference]] | None = None,
    tests: Mapping[str, int] | None = None,
    known_names: Mapping[str, str] | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Draw the tables `personas` and `persona_features`.

    Parameters
    ----------
    model : PersonaModel
    counts : PersonaCounts
        Of all customers, added up.
    stages : tuple of str
        As `apply_personas` was given them.
    differences : mapping of persona id to differences, optional
        In which attributes the persona's customers differ.
    tests : mapping of persona id to int, optional
        In how many they could have.
    known_names : mapping of persona id to name, optional
        Names that were published; one stays as long as the first thing it says is still so.
    """
    ids = model.persona_ids
    intervals = share_intervals(counts, model.fit_customers)
    place = np.empty(len(ids), np.int64)
    place[np.lexsort((np.arange(len(ids)), -counts.posteriors))] = np.arange(1, len(ids) + 1)
    features = _features(model, counts, stages, intervals[:, 0], differences or {}, tests or {})
    ended = counts.converted + counts.lapsed
    if model.has_structure:
        names = _names(ids, features, place, known_names or {})
        told = [paragraph(own) for own in features]
    else:
        names, told = ("No structure found",), [f"No structure found: {model.reason}."]
    personas = pa.table(
        {
            "persona_id": ids,
            "place": place.astype(np.int32),
            "name": names,
            "customers": counts.customers,
            "journeys": counts.journeys,
            "share": intervals[:, 0],
            "share_low": intervals[:, 1],
            "share_high": intervals[:, 2],
            "conversion_rate": pa.array(counts.converted / np.maximum(ended, 1), mask=ended == 0),
            **{
                column: pa.array(
                    [own[n] if n < len(own) else None for own in model.exemplars], pa.string()
                )
                for n, column in enumerate(
                    ("medoid_journey_id", "exemplar_2_journey_id", "exemplar_3_journey_id")
                )
            },
            "grade": [_grade(model.grade, firmness) for firmness in model.firmness],
            "stability": pa.array([model.stability] * len(ids), pa.float64(), from_pandas=True),
            "firmness": pa.array(list(model.firmness), pa.float64(), from_pandas=True),
            "portrait": told,
        },
        schema=table_schema("personas"),
    )
    rows = [
        {
            "persona_id": persona,
            "kind": feature.kind,
            "feature": feature.name,
            "unit": feature.unit,
            "value": feature.value,
            "value_others": feature.value_others,
            "z": None if np.isnan(feature.z) else feature.z,
            "q_value": feature.q_value,
            "rank": rank,
            "sentence": sentence(feature),
        }
        for persona, own in zip(ids, features, strict=True)
        for rank, feature in enumerate(own, start=1)
    ]
    return personas, pa.Table.from_pylist(rows, schema=table_schema("persona_features"))


def _features(
    model: PersonaModel,
    counts: PersonaCounts,
    stages: tuple[str, ...],
    shares: np.ndarray,
    differences: Mapping[str, Sequence[Difference]],
    tests: Mapping[str, int],
) -> list[list[Feature]]:
    """All features of each persona: what sets it apart first, then its other numbers."""
    if not model.has_structure:
        return [[]]
    held = distinctive_features(
        feature_space(model, stages), counts.holding, counts.journeys, _MOST_FEATURES
    )
    measures = compare_measures(counts.measures)
    outcomes = outcome_features(counts)
    found = []
    for k, persona in enumerate(model.persona_ids):
        size = Feature("size", "customers", "share of customers", shares[k], 1 - shares[k], np.nan)
        outcome = outcomes[k]
        own = differences.get(persona, ())
        tested = Feature(
            "attributes",
            "all",
            "values that differ, of those tested",
            len(own),
            tests.get(persona, 0),
            np.nan,
        )
        found.append(
            [
                *held[k],
                size,
                *([outcome] if outcome is not None else []),
                *measures[k],
                *([tested] if tests else []),
                *(difference.feature for difference in own),
            ]
        )
    return found


def _names(
    ids: Sequence[str],
    features: Sequence[Sequence[Feature]],
    place: np.ndarray,
    known: Mapping[str, str],
) -> tuple[str, ...]:
    """Names, the largest persona's first; a published one stays while its first part is so."""
    kept = {
        persona: known[persona]
        for persona, own in zip(ids, features, strict=True)
        if persona in known and _still_so(known[persona], own)
    }
    order = np.argsort(place)
    fresh = [k for k in order if ids[k] not in kept]
    made = persona_names([features[k] for k in fresh], taken=tuple(kept.values()))
    named = kept | {ids[k]: name for k, name in zip(fresh, made, strict=True)}
    return tuple(named[persona] for persona in ids)


def _still_so(name: str, features: Sequence[Feature]) -> bool:
    """Whether the first thing that a name says still sets the persona apart."""
    first = name.partition(",")[0]
    return any(persona_names([[feature]])[0] == first for feature in features)


def _grade(overall: Grade, firmness: float) -> Grade:
    """A persona is no firmer than the whole of them."""
    if overall == "none":
        return overall
    own = next(grade for least, grade in _GRADES if not firmness < least)
    return min(overall, own, key=_ORDER.index)
