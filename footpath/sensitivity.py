"""``footpath identity sensitivity``: which conclusions depend on how shared devices are treated.

The journey tables are built anew from the published events, once for each way to treat shared devices, in a folder
that is deleted afterwards. What readers conclude from them is held side by side: conversion rate, pain points,
attribution by channel, personas. Splits that were ordered hold in every variant; nothing is published.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import duckdb

from contracts.config import Config, Identity
from contracts.errors import InputError
from contracts.lake import DataFile, Lake, Manifest
from contracts.schemas import TABLES
from footpath.console import progress
from pipelines import graph, journeys, personas, resolve, sessionize
from pipelines.job import Run, run_stage
from sql.publish import publish_database
from sql.statements import open_database

__all__ = ["Conclusions", "conclusions", "sensitivity"]

_STAGES = (resolve.STAGE, sessionize.STAGE, journeys.STAGE, graph.STAGE, personas.STAGE)
_TOP = 5
_NOTABLE = 0.01
"""A rate or share that moves by less is not called changed."""


@dataclass(frozen=True)
class Conclusions:
    """What readers conclude from one way to resolve."""

    customers: int
    journeys: int
    conversion: float | None
    """Converted / (converted + lapsed)."""
    pain_points: list[tuple[str, str]]
    """What and where, and what was measured, by rank."""
    attribution: dict[str, dict[str, float]]
    """Model: channel: credit, greatest first."""
    personas: dict[str, float]
    """Name: share, greatest first."""


def sensitivity(config: Config, beam_args: Sequence[str] = ()) -> Iterator[str]:
    """Lines that say what changes under each way to treat shared devices.

    Raises
    ------
    InputError
        If nothing is published yet.
    """
    lake = Lake(config.warehouse)
    published = lake.published()
    if not published.version:
        raise InputError(f"nothing is published yet ({lake.root}); run 'footpath run' first")
    modes = get_args(Identity.model_fields["shared_devices"].annotation)
    found = {}
    with progress(len(modes)) as step:
        for mode in modes:
            step(mode)
            identity = config.identity.model_copy(update={"shared_devices": mode})
            with tempfile.TemporaryDirectory(prefix="sensitivity-", dir=lake.root) as folder:
                variant = config.model_copy(
                    update={"identity": identity, "warehouse": Path(folder)}
                )
                found[mode] = _build(variant, lake, published, beam_args)
    yield from _compared(found, config.identity.shared_devices)


def _build(
    config: Config, lake: Lake, published: Manifest, beam_args: Sequence[str]
) -> Conclusions:
    """Journey tables of the published events in a warehouse of their own, and what they say."""
    decisions = lake.root / "decisions"
    if decisions.exists():
        shutil.copytree(decisions, config.warehouse / "decisions")
    run = Run.begin(config, beam_args)
    run.draft.tables["events"] = [_anchored(lake, file) for file in published.tables["events"]]
    for stage in _STAGES:
        run_stage(run, stage)
    database = config.warehouse / "variant.duckdb"
    tables = [name for name in TABLES if name in run.draft.tables and name != "events"]
    publish_database(
        database,
        {name: run.lake.paths(run.draft, name) for name in tables},
        watermark=run.watermark,
        journey_gap=config.journey.gap,
        stages=config.stages,
        namespaces=config.namespaces,
        attributes=config.attributes,
        contacts=config.contacts,
        small_groups=run.draft.stages["graph"].facts.get("folded"),
        min_group=config.privacy.min_group,
    )
    with open_database(database) as connection:
        return conclusions(connection)


def _anchored(lake: Lake, file: DataFile) -> DataFile:
    """The same file, found from any warehouse."""
    links = str((lake.root / file.meta["links"]).resolve())
    path = str(lake.path(file).resolve())
    return replace(file, path=path, meta=file.meta | {"links": links})


def conclusions(connection: duckdb.DuckDBPyConnection) -> Conclusions:
    """What a published database says."""
    ((count, customers, conversion),) = connection.sql(
        "SELECT count(*), count(DISTINCT customer_id), count_if(outcome = 'converted') "
        "/ nullif(count_if(outcome <> 'open'), 0) FROM journeys"
    ).fetchall()
    pain_points = connection.sql(
        """
        SELECT
            concat_ws(' ', kind, 'at', node, '> ' || target, 'from ' || begins,
                CASE WHEN segment <> 'all' THEN 'for ' || segment || ' = ' || segment_value END),
            CASE WHEN unit = 'share' THEN format('{:.1f}%', 100 * measured)
                ELSE format('{:.3g} ({})', measured, unit) END
        FROM pain_points
        ORDER BY rank
        """
    ).fetchall()
    attribution: dict[str, dict[str, float]] = {}
    for model, node, credit in connection.sql(
        "SELECT model, node, credit FROM attribution WHERE level = 'channel' ORDER BY model, credit DESC, node"
    ).fetchall():
        attribution.setdefault(model, {})[node] = credit
    found = connection.sql("SELECT name, share FROM personas ORDER BY share DESC, name").fetchall()
    return Conclusions(customers, count, conversion, pain_points, attribution, dict(found))


def _compared(found: dict[str, Conclusions], usual: str) -> Iterator[str]:
    base = found[usual]
    others = {mode: told for mode, told in found.items() if mode != usual}
    changed: list[str] = []
    yield f"{'shared_devices':<28}" + "".join(f"{m + ' *' * (m == usual):>18}" for m in found)
    for name in ("customers", "journeys"):
        yield f"{name:<28}" + "".join(f"{getattr(f, name):>18,}" for f in found.values())
    rates = [_rate(told.conversion) for told in found.values()]
    yield f"{'conversion rate':<28}" + "".join(f"{rate:>18}" for rate in rates)
    for mode, told in others.items():
        if abs((told.conversion or 0) - (base.conversion or 0)) >= _NOTABLE:
            changed.append(
                f"{mode}: conversion rate {_rate(told.conversion)} instead of {_rate(base.conversion)}"
            )
    yield "top pain points (rank, measured)"
    tops = [dict(told.pain_points[:_TOP]) for told in found.values()]
    for place in dict.fromkeys(name for top in tops for name in top):
        yield f"  {place}"
        yield f"{'':<28}" + "".join(f"{_ranked(told, place):>18}" for told in found.values())
    for mode, told in others.items():
        mine, theirs = ([name for name, _ in c.pain_points[:_TOP]] for c in (base, told))
        if set(mine) != set(theirs):
            changed.append(f"{mode}: other pain points among the first {_TOP}")
        elif mine != theirs:
            changed.append(f"{mode}: the same first {len(mine)} pain points in another order")
    yield "attribution by channel (first three)"
    for model, credits in base.attribution.items():
        yield f"  {model}"
        for channel in list(credits)[:3]:
            shares = [
                _rate(told.attribution.get(model, {}).get(channel)) for told in found.values()
            ]
            yield f"    {channel:<24}" + "".join(f"{share:>18}" for share in shares)
        for mode, told in others.items():
            other = told.attribution.get(model, {})
            moved = max(
                (abs(other.get(c, 0) - credits.get(c, 0)) for c in {*credits, *other}), default=0
            )
            if list(other)[:3] != list(credits)[:3]:
                changed.append(f"{mode}: {model} ranks the first three channels otherwise")
            elif moved >= _NOTABLE:
                changed.append(f"{mode}: {model} moves a channel's credit by {moved:.1%}")
    yield "personas"
    for told, mode in zip(found.values(), found, strict=True):
        listed = ", ".join(f"{name} {share:.0%}" for name, share in told.personas.items())
        yield f"  {mode}: {listed or 'none'}"
    for mode, told in others.items():
        if len(told.personas) != len(base.personas):
            changed.append(f"{mode}: {len(told.personas)} personas instead of {len(base.personas)}")
        elif list(told.personas) != list(base.personas):
            changed.append(f"{mode}: personas have other names or another order")
    yield ""
    yield (
        f"What changes against {usual}, which is configured (*):"
        if changed
        else (
            f"None of these conclusions changes by a point or more against {usual}, which is configured (*)."
        )
    )
    yield from (f"  {line}" for line in changed)


def _rate(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _ranked(told: Conclusions, place: str) -> str:
    for rank, (name, measured) in enumerate(told.pain_points, start=1):
        if name == place:
            return f"{rank}, {measured}"
    return "not found"
