"""Who is who, read back from a published database: an identifier's customer and all that tied it.

The edges of a customer are read from `events`: two identifiers on one event. Everything else is a look at a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from contracts.sql_text import identifier, literal

__all__ = ["Story", "find_identifiers", "story_of"]

Identifier = tuple[str, str]


@dataclass(frozen=True)
class Story:
    """What is known of a customer, or of an identifier that has none; rows as the tables have them."""

    identifiers: list[tuple[Any, ...]]
    """namespace, value, first seen, last seen, events, rule."""
    edges: list[tuple[Any, ...]]
    """namespace, value, namespace, value, first seen, events: identifiers that events bear together."""
    refusals: list[tuple[Any, ...]]
    """namespace, value, other namespace, other value, reason, detail, customers, events."""
    intervals: list[tuple[Any, ...]] = field(default_factory=list)
    """namespace, value, from, to, customer, events, rule: anonymous events on shared devices."""
    events: list[tuple[Any, ...]] = field(default_factory=list)
    """time, source, channel, touchpoint, session: the latest touchpoints."""
    touchpoints: int = 0
    """How many there are."""
    first: datetime | None = None
    last: datetime | None = None


def find_identifiers(
    connection: duckdb.DuckDBPyConnection, candidates: Iterable[Identifier]
) -> list[tuple[str, str, str | None, str]]:
    """Of candidates (namespace, value) those that are known: namespace, value, customer, rule."""
    return [
        row
        for candidate in candidates
        for row in connection.execute(
            "SELECT namespace, value, customer_id, rule FROM identities WHERE namespace = ? AND value = ?",
            candidate,
        ).fetchall()
    ]


def story_of(
    connection: duckdb.DuckDBPyConnection,
    known: Identifier,
    customer_id: str | None,
    namespaces: Sequence[str],
    events: int,
) -> Story:
    """The story of the customer of an identifier.

    Parameters
    ----------
    known : (namespace, value)
        As the lake knows it.
    customer_id : str or None
        Its customer; without one the story is that of the identifier alone.
    namespaces : sequence of str
        Strongest first.
    events : int
        How many of the latest touchpoints to bring.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE mine AS SELECT namespace, value, first_seen, last_seen, events, rule "
        "FROM identities WHERE customer_id = $customer OR (namespace = $namespace AND value = $value)",
        {"customer": customer_id, "namespace": known[0], "value": known[1]},
    )
    identifiers = connection.execute("FROM mine ORDER BY first_seen, namespace, value").fetchall()
    refusals = connection.execute(
        "SELECT namespace, value, beside_namespace, beside_value, reason, detail, customers, events "
        "FROM identity_refusals WHERE (namespace, value) IN (SELECT (namespace, value) FROM mine) "
        "OR (beside_namespace, beside_value) IN (SELECT (namespace, value) FROM mine) "
        "ORDER BY first_seen, namespace, value, beside_value"
    ).fetchall()
    intervals = connection.execute(
        "SELECT namespace, value, started_at, ended_at, customer_id, events, rule FROM identity_intervals "
        "WHERE customer_id = $customer OR (namespace = $namespace AND value = $value) "
        "ORDER BY started_at, namespace, value",
        {"customer": customer_id, "namespace": known[0], "value": known[1]},
    ).fetchall()
    latest = connection.execute(
        "SELECT event_time, source, channel, touchpoint, session_id FROM touchpoints WHERE customer_id = ? "
        "ORDER BY event_time DESC, source DESC, event_id DESC LIMIT ?",
        [customer_id, events],
    ).fetchall()
    ((count, first, last),) = connection.execute(
        "SELECT count(*), min(event_time), max(event_time) FROM touchpoints WHERE customer_id = ?",
        [customer_id],
    ).fetchall()
    edges = _edges(connection, namespaces)
    return Story(identifiers, edges, refusals, intervals, latest[::-1], count, first, last)


def _edges(
    connection: duckdb.DuckDBPyConnection, namespaces: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Pairs of identifiers on one event, one of them among ``mine``."""
    pairs = " UNION ALL ".join(
        f"SELECT {literal(one)}, {first}, {literal(other)}, {second}, min(event_time), count(*) FROM events "
        f"WHERE {first} IS NOT NULL AND {second} IS NOT NULL "
        f"AND ({first} IN (SELECT value FROM mine WHERE namespace = {literal(one)}) "
        f"OR {second} IN (SELECT value FROM mine WHERE namespace = {literal(other)})) GROUP BY ALL"
        for place, one in enumerate(namespaces)
        for other in namespaces[place + 1 :]
        for first, second in [(identifier(f"id_{one}"), identifier(f"id_{other}"))]
    )
    if not pairs:
        return []
    return connection.execute(f"FROM ({pairs}) ORDER BY 5, 1, 2, 3, 4").fetchall()
