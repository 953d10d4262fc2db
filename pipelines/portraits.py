"""The tables of personas that no bucket can make alone: portraits, the ledger of fits, what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import DataFile, Manifest
from contracts.schemas import table_schema
from models.persona_attributes import Difference, attribute_differences
from models.persona_changes import persona_changes
from models.persona_ledger import Published, known_after, match_personas, profiles
from models.persona_portraits import PersonaCounts
from models.persona_tables import draw_portraits
from pipelines.job import Run
from transforms.find_personas import counted, fitted
from transforms.read_profiles import read_profiles

__all__ = ["last_published", "portray", "total_counts", "write_counts"]

_MEMBERS = ("customer_id", "persona_id")


def last_published(run: Run) -> str | None:
    """The last published model, as JSON."""
    models = _read(run, run.base, "persona_models")
    kept = models.filter(pc.is_valid(models["model"]))
    return kept["model"][-1].as_py() if len(kept) else None


def total_counts(
    run: Run, values: list[dict[str, Any]], last: str | None, goes_on: bool
) -> tuple[Published, PersonaCounts] | None:
    """The model, and what portraits are drawn from, of all customers; None if there are none.

    `goes_on`: if the model is the last one, `values` are of customers to whom something happened.
    """
    if not values:
        return None
    known: list[PersonaCounts] = []
    if goes_on and last and Published.from_json(last).fit_id == fitted(values):
        for path in run.lake.paths(run.base, "persona_counts"):
            with np.load(path) as stored:
                known.append(PersonaCounts(**stored))
    return counted(values, known)


def write_counts(run: Run, counts: PersonaCounts, name: str) -> DataFile:
    """Keep what portraits are drawn from, for a later run to go on from."""
    path = f"tables/persona_counts/{name}.npz"
    (run.lake.root / path).parent.mkdir(parents=True, exist_ok=True)
    np.savez(run.lake.root / path, **vars(counts))
    return DataFile(path, int(counts.scored[0]))


def portray(
    run: Run, found: tuple[Published, PersonaCounts] | None, last: str | None
) -> dict[str, pa.Table]:
    """The tables that no bucket can make alone."""
    earlier = {
        table: _read(run, run.base, table) for table in ("persona_models", "persona_changes")
    }
    if found is None:
        return earlier | {
            table: table_schema(table).empty_table() for table in ("personas", "persona_features")
        }
    published, total = found
    if published.fit_id != run.run_id:
        published = _with_present_exemplars(run, published)
    before = Published.from_json(last) if last else None
    members = _read(run, run.draft, "customer_personas", *_MEMBERS)
    personas, features = draw_portraits(
        published.model,
        total,
        run.config.stages,
        *_differences(run, members),
        {persona.persona_id: persona.name for persona in before.known} if before else None,
    )
    ids = published.model.persona_ids
    published = known_after(published, dict(zip(ids, personas["name"].to_pylist(), strict=True)))
    distances = {}
    if before and published.model.has_structure:
        matched = match_personas(profiles(published.model), before.known)
        distances = dict(zip(*matched, strict=True))
    changes = persona_changes(
        run.run_id,
        _read(run, run.base, "personas") if before else None,
        personas,
        _read(run, run.base, "customer_personas", *_MEMBERS) if before else None,
        members,
        distances,
    )
    return {
        "personas": personas,
        "persona_features": features,
        "persona_models": _models(earlier["persona_models"], published),
        "persona_changes": pa.concat_tables([earlier["persona_changes"], changes]),
    }


def _with_present_exemplars(run: Run, published: Published) -> Published:
    """Leave out exemplars of an older fit that are no longer their persona's."""
    model = published.model
    shown = pa.array([journey for own in model.exemplars for journey in own], pa.string())
    rows = _read(run, run.draft, "journey_personas", "journey_id", "persona_id")
    rows = rows.filter(pc.is_in(rows["journey_id"], value_set=shown))
    persona_of = dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    exemplars = tuple(
        tuple(journey for journey in own if persona_of.get(journey) == persona)
        for persona, own in zip(model.persona_ids, model.exemplars, strict=True)
    )
    return replace(published, model=replace(model, exemplars=exemplars))


def _differences(run: Run, members: pa.Table) -> tuple[dict[str, list[Difference]], dict[str, int]]:
    """In which declared attributes the personas differ, of how many; nothing where none is declared."""
    profile = run.config.personas.profile
    if profile is None:
        return {}, {}
    identities = _read(run, run.draft, "identities", "namespace", "value", "customer_id")
    profiles_of = read_profiles(profile, run.config.identity, run.pseudonymiser(), identities)
    return attribute_differences(members, profiles_of)


def _models(earlier: pa.Table, published: Published) -> pa.Table:
    """Every fit so far, the newest with its model."""
    model = published.model
    row = {
        "fit_id": published.fit_id,
        "fitted_at": published.fitted_at,
        "data_hash": published.data_hash,
        "method": "pooled by customer" if model.pooled else "single journeys",
        "customers": model.fit_customers,
        "journeys": model.fit_journeys,
        "personas": len(model.persona_ids) if model.has_structure else 0,
        "grade": model.grade,
        "stability": None if np.isnan(model.stability) else model.stability,
        "loyalty": model.loyalty,
        "gain_bits": None if np.isnan(model.gain) else model.gain / np.log(2),
        "log_likelihood": published.log_likelihood,
        "reason": model.reason,
        "model": published.to_json(),
    }
    others = earlier.filter(pc.not_equal(earlier["fit_id"], published.fit_id))
    nothing = pa.nulls(len(others), pa.string())
    others = others.set_column(others.schema.get_field_index("model"), "model", nothing)
    schema = table_schema("persona_models")
    return pa.concat_tables([others.cast(schema), pa.Table.from_pylist([row], schema=schema)])


def _read(run: Run, manifest: Manifest, table: str, *columns: str) -> pa.Table:
    """A table of a manifest, or columns of it, in the order of its files; empty if it has none."""
    schema = table_schema(table)
    schema = pa.schema([schema.field(name) for name in columns or schema.names])
    files = sorted(run.lake.paths(manifest, table))
    tables = [pq.read_table(path, columns=schema.names, partitioning=None) for path in files]
    return pa.concat_tables([schema.empty_table(), *(t.cast(schema) for t in tables)])
