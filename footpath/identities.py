"""``footpath identity``: the customer of an identifier explained, and splits ordered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from contracts.config import Config
from contracts.errors import ConfigError, InputError, Problem
from contracts.lake import Lake
from contracts.lock import locked
from models.identifiers import normalise
from pipelines.decisions import append_split
from pipelines.job import Run
from sql.identities import Story, find_identifiers, story_of
from sql.statements import open_database

__all__ = ["as_known", "order_split", "show"]

_SHOWN = 50


def show(config: Config, database: Path, value: str, events: int) -> Iterator[str]:
    """What is known of a value in any namespace, in lines to print; personal values are hashed to look.

    Raises
    ------
    InputError
        If no identifier is like that.
    """
    candidates = [
        (namespace, known)
        for namespace in config.person_namespaces
        for known in as_known(config, namespace, value)
    ]
    with open_database(database) as connection:
        found = find_identifiers(connection, candidates)
        if not found:
            looked = ", ".join(config.person_namespaces)
            raise InputError(
                f"{value!r} is no identifier of the published version; looked for in {looked}, as it is "
                "and hashed (the same FOOTPATH_KEY as at ingest is needed)"
            )
        told: set[str | None] = set()
        for namespace, known, customer, rule in found:
            if customer is not None and customer in told:
                continue
            told.add(customer)
            whose = f"customer {customer}" if customer else f"nobody's: {rule}"
            yield f"{namespace} {known}: {whose}"
            story = story_of(
                connection, (namespace, known), customer, config.person_namespaces, events
            )
            yield from _told(story, customer)


def as_known(config: Config, namespace: str, value: str) -> list[str]:
    """How the lake would know a value: normalised, and hashed if it is personal; and as it stands."""
    spec = config.identity.namespaces[namespace]
    normal = normalise(pa.array([value]), spec.normalise)[0].as_py()
    known = [value]
    if normal is not None:
        personal = spec.personal or "@" in normal
        pseudonymiser = Run.begin(config).pseudonymiser() if personal else None
        known.append(pseudonymiser.digest(namespace, normal) if pseudonymiser else normal)
    return list(dict.fromkeys(known))


def _told(story: Story, customer: str | None) -> Iterator[str]:
    yield ""
    yield f"identifiers ({len(story.identifiers)})"
    for namespace, value, first, last, events, rule in story.identifiers[:_SHOWN]:
        yield f"  {namespace} {value}  {first:%F %R} to {last:%F %R}, {events:,} events; {rule}"
    yield from _rest(len(story.identifiers))
    yield f"seen together on events ({len(story.edges)})"
    for one, value, other, beside, first, events in story.edges[:_SHOWN]:
        yield f"  {one} {value} - {other} {beside}  since {first:%F %R}, {events:,} events"
    yield from _rest(len(story.edges))
    if story.refusals:
        yield f"refused ({len(story.refusals)})"
    for namespace, value, other, beside, reason, detail, customers, events in story.refusals[
        :_SHOWN
    ]:
        pair = f" - {other} {beside}" if other else ""
        much = f"would have made one of {customers:,} customers with {events:,} events"
        yield f"  {namespace} {value}{pair}: {reason}, {detail}; {much}"
    yield from _rest(len(story.refusals))
    if story.intervals:
        yield f"anonymous on shared devices ({len(story.intervals)})"
    for namespace, value, first, last, owner, events, rule in story.intervals[:_SHOWN]:
        whose = "" if owner == customer else f" customer {owner}"
        yield f"  {namespace} {value}  {first:%F %R} to {last:%F %R}, {events:,} events:{whose} {rule}"
    yield from _rest(len(story.intervals))
    if customer is None:
        return
    yield f"touchpoints ({story.touchpoints:,})"
    for at, source, channel, touchpoint, session in story.events:
        yield f"  {at:%F %T}  {source}/{channel}  {touchpoint}  session {session}"


def _rest(count: int) -> Iterator[str]:
    if count > _SHOWN:
        yield f"  and {count - _SHOWN:,} more"


def order_split(config: Config, namespace: str, value: str, undo: bool) -> Iterator[str]:
    """Write a decision: the identifier ties nobody from the next run on; or take that back.

    Raises
    ------
    ConfigError
        If there is no such namespace.
    InputError
        If the value can be no identifier of it.
    """
    if namespace not in config.person_namespaces:
        allowed = ", ".join(config.person_namespaces)
        found = f"{namespace!r} is no namespace that a source fills"
        raise ConfigError("identity split", [Problem("NAMESPACE", found, f"allowed: {allowed}")])
    known = as_known(config, namespace, value)
    if len(known) == 1 and config.identity.namespaces[namespace].personal:
        raise InputError(f"{value!r} can be no {namespace}: it does not look like one")
    lake = Lake(config.warehouse)
    with locked(config.warehouse):
        append_split(lake, namespace, known[-1], not undo, datetime.now(UTC))
    what = "ties identifiers again" if undo else "ties nobody"
    yield f"{namespace} {known[-1]} {what} from the next 'footpath run' on"
