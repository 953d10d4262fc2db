"""What personas are called from run to run: the ledger of all that were ever published.

A fit knows nothing of earlier ones (docs/adr/0007). Afterwards its personas are held against the
ledger: the distance of two personas is the Hellinger distance of what they do, the greatest of
those of their moves, of their channels by touchpoint and of their gaps by touchpoint. The pairing of
least total distance (the Hungarian method [1]_) decides who is who; who is further than .3 from all
is new and gets a number that was never used. Measured, the same persona in two fits is about .1
from itself, and personas of one fit are .4 and more apart.

Nothing here changes what the personas are, only their ids, so two persons who read "p3" in two
versions speak of the same persona, and no id is ever given to another one.

References
----------
.. [1] H. W. Kuhn (1955), "The Hungarian Method for the Assignment Problem", Naval Research
   Logistics Quarterly 2.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import linear_sum_assignment

from contracts.config import Personas
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
from models.personas import PersonaModel, fit_personas

__all__ = ["KnownPersona", "Published", "known_after", "match_personas", "next_model"]

FloatArray = npt.NDArray[np.float64]
Profile = Mapping[str, Mapping[str, float]]
"""By block (move, channel, gap), how often each thing is done; each block sums to 1."""

SAME = 0.3
"""Greatest distance of one persona from itself in another fit."""

_DRIFT = 0.02
"""A model is fitted anew early if touchpoints have become less likely by this share of their log
likelihood."""


@dataclass(frozen=True)
class KnownPersona:
    """A persona that was published: its id, its name, and what it did when last seen."""

    persona_id: str
    name: str
    profile: Profile


@dataclass(frozen=True)
class Published:
    """A fit of the personas as it was published, and the ledger as it was then.

    Attributes
    ----------
    fit_id : the run that fitted it
    fitted_at : watermark of its data
    settings : configuration it was fitted with, as JSON
    data_hash : of the sample it was fitted to
    log_likelihood : of that sample, nats a touchpoint
    model : PersonaModel
    known : every persona ever published, by falling age
    """

    fit_id: str
    fitted_at: datetime
    settings: str
    data_hash: str
    log_likelihood: float
    model: PersonaModel
    known: tuple[KnownPersona, ...] = ()

    def to_json(self) -> str:
        """All of it as text; numbers keep every bit."""
        fields = {f: getattr(self, f) for f in self.__dataclass_fields__}
        fields["fitted_at"] = self.fitted_at.isoformat()
        fields["known"] = [asdict(persona) for persona in self.known]
        model = {f: getattr(self.model, f) for f in self.model.__dataclass_fields__}
        model["vocabulary"] = asdict(self.model.vocabulary)
        model["parameters"] = [part.tolist() for part in self.model.parameters]
        model |= {name: model[name].tolist() for name in ("columns", "profile")}
        return json.dumps(fields | {"model": model}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Published:
        """What `to_json` wrote."""
        fields = json.loads(text)
        model = fields["model"]
        vocabulary = {name: tuple(values) for name, values in model["vocabulary"].items()}
        model |= {
            "vocabulary": PathVocabulary(**vocabulary),
            "columns": np.array(model["columns"], np.int64),
            "parameters": MixtureParameters(*(np.array(part) for part in model["parameters"])),
            "profile": np.array(model["profile"]),
            "persona_ids": tuple(model["persona_ids"]),
            "exemplars": tuple(tuple(own) for own in model["exemplars"]),
            "firmness": tuple(model["firmness"]),
        }
        fields["fitted_at"] = datetime.fromisoformat(fields["fitted_at"])
        fields["known"] = tuple(KnownPersona(**persona) for persona in fields["known"])
        return cls(**(fields | {"model": PersonaModel(**model)}))


def next_model(
    sample: pa.Table,
    config: Personas,
    fit_id: str,
    watermark: datetime,
    last: Published | None,
) -> Published:
    """Fit the personas, with the ids of the ledger; or go on with the last model, if it may be used.

    It may while ``config.refit_after`` has not passed, under the same settings, if journeys have not
    drifted from it.
    """
    steps = sample_steps(sample, config.fit_sample, config.min_touchpoints)
    corpus = path_corpus(steps, path_vocabulary(steps))
    settings = json.dumps(
        config.model_dump(mode="json", exclude={"refit_after", "profile"}), sort_keys=True
    )
    if last and _still_good(last, steps, settings, watermark, config.refit_after):
        return last
    model = fit_personas(steps, config)
    known = last.known if last else ()
    if model.has_structure:
        model = model.with_ids(match_personas(profiles(model), known)[0])
    return Published(
        fit_id,
        watermark,
        settings,
        _hash_of(corpus),
        _log_likelihood(model, corpus),
        model,
        known,
    )


def match_personas(
    found: Sequence[Profile], known: Sequence[KnownPersona]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Say who the found personas are.

    Returns
    -------
    An id for each, and its distance from what it was; NaN for a new one.

    Examples
    --------
    >>> ad, shop = ({"move": {name: 1.0}} for name in ("START > ad", "START > shop"))
    >>> match_personas([shop, ad], [KnownPersona("p1", "Ad", ad)])
    (('p2', 'p1'), (nan, 0.0))
    """
    ids = [""] * len(found)
    distances = [np.nan] * len(found)
    if found and known:
        apart = np.array([[_distance(old.profile, new) for new in found] for old in known])
        # Beyond the threshold all are alike: nobody is pushed aside so that strangers come closer.
        for old, new in zip(*linear_sum_assignment(np.minimum(apart, SAME)), strict=True):
            if apart[old, new] <= SAME:
                ids[new] = known[old].persona_id
                distances[new] = float(apart[old, new])
    number = max((int(persona.persona_id[1:]) for persona in known), default=0)
    for place, persona in enumerate(ids):
        if not persona:
            number += 1
            ids[place] = f"p{number}"
    return tuple(ids), tuple(distances)


def known_after(published: Published, names: Mapping[str, str]) -> Published:
    """Enter the personas of a fit in its ledger, by their names."""
    if not published.model.has_structure:
        return published
    now = {
        persona: KnownPersona(persona, names[persona], profile)
        for persona, profile in zip(
            published.model.persona_ids, profiles(published.model), strict=True
        )
    }
    earlier = [persona for persona in published.known if persona.persona_id not in now]
    every = sorted([*earlier, *now.values()], key=lambda persona: int(persona.persona_id[1:]))
    return replace(published, known=tuple(every))


def profiles(model: PersonaModel) -> list[Profile]:
    """What each persona does, as shares of all that it does, by block."""
    space = MoveSpace(model.vocabulary)
    labels = [space.name(int(column)) for column in model.columns]
    blocks = [space.block(int(column)) for column in model.columns]
    found: list[Profile] = []
    for k in range(len(model.persona_ids)):
        by_block: dict[str, dict[str, float]] = {}
        for label, block, times in zip(labels, blocks, model.profile[:, k].tolist(), strict=True):
            by_block.setdefault(block, {})[label] = times
        totals = {block: sum(own.values()) or 1.0 for block, own in by_block.items()}
        found.append(
            {
                block: {label: times / totals[block] for label, times in own.items()}
                for block, own in by_block.items()
            }
        )
    return found


def _distance(one: Profile, other: Profile) -> float:
    """The greatest Hellinger distance of their blocks."""
    greatest = 0.0
    for block in one.keys() | other.keys():
        mine, theirs = one.get(block, {}), other.get(block, {})
        shared = sum((p * theirs.get(label, 0.0)) ** 0.5 for label, p in mine.items())
        greatest = max(greatest, (1.0 - min(shared, 1.0)) ** 0.5)
    return greatest


def _still_good(
    last: Published,
    steps: pa.Table,
    settings: str,
    watermark: datetime,
    refit_after: timedelta | None,
) -> bool:
    if refit_after is None or last.settings != settings:
        return False
    if not timedelta(0) <= watermark - last.fitted_at < refit_after:
        return False
    now = _log_likelihood(last.model, path_corpus(steps, last.model.vocabulary))
    return now >= last.log_likelihood - _DRIFT * abs(last.log_likelihood)


def _log_likelihood(model: PersonaModel, corpus: PathCorpus) -> float:
    """Mean log likelihood of a touchpoint, nats, journeys taken singly."""
    if not len(corpus.codes):
        return 0.0
    counts = count_moves(corpus)[:, model.columns]
    return float(posteriors(model.parameters.joint(counts))[1].sum() / len(corpus.codes))


def _hash_of(corpus: PathCorpus) -> str:
    """Hash of the sample: the same for the same paths."""
    hashed = hashlib.sha256(json.dumps(asdict(corpus.vocabulary)).encode())
    hashed.update("\n".join(corpus.journey_ids.to_pylist()).encode())
    for array in (corpus.offsets, corpus.codes, corpus.channels, corpus.gaps):
        hashed.update(np.ascontiguousarray(array, np.int64).tobytes())
    return hashed.hexdigest()[:16]
