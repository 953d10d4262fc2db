"""Some journeys that each pain point hit, the first by id, so that they stay the same: table ``pain_point_journeys``.

A pain point has a query that lists all of them, which takes seconds where there are millions of journeys. Whether a
journey was hit is told by itself alone, so the first journeys by id are asked, and more only if too few of them were.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from contracts.schemas import Column
from contracts.sql_text import literal
from sql.lake_views import duckdb_type
from sql.statements import statement

__all__ = ["COLUMNS", "store_hit_journeys"]

COLUMNS = (
    Column("rank", pa.int32(), "pain point"),
    Column("journey_id", pa.string(), "a journey that it hit"),
)
_SHOWN = 5
_FIRST = 20_000
"""Journeys asked first; then, as long as some pain point wants for examples, so many times more."""
_MORE = 8


def store_hit_journeys(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table in the connection's current database, ``footpath``, of which nothing waits to be committed."""
    typed = ", ".join(f"{column.name} {duckdb_type(column.type)}" for column in COLUMNS)
    connection.execute(f"CREATE TABLE pain_point_journeys ({typed})")
    asked = dict(
        connection.execute(
            "SELECT rank, journeys_query FROM pain_points WHERE journeys_query IS NOT NULL ORDER BY rank"
        ).fetchall()
    )
    ((total,),) = connection.execute("SELECT count(*) FROM journeys").fetchall()
    found: dict[int, list[str]] = {}
    first = _FIRST
    while wanting := [rank for rank in asked if len(found.get(rank, ())) < _SHOWN]:
        found |= _hit(connection, {rank: asked[rank] for rank in wanting}, first / max(total, 1))
        if first >= total:
            break
        first *= _MORE
    rows = [(rank, journey) for rank in asked for journey in found[rank]]
    if rows:
        connection.executemany("INSERT INTO pain_point_journeys VALUES (?, ?)", rows)


def _hit(
    connection: duckdb.DuckDBPyConnection, queries: Mapping[int, str], share: float
) -> dict[int, list[str]]:
    """By rank, what the queries find first if there is nothing but a share of the journeys, the first by id."""
    ((last,),) = connection.execute(
        "SELECT quantile_disc(journey_id, $share) FROM journeys", {"share": min(share, 1.0)}
    ).fetchall()
    connection.execute("ATTACH ':memory:' AS part")
    connection.execute("USE part")
    try:
        for table in ("journeys", "touchpoints"):
            those = f"FROM footpath.{table} WHERE journey_id <= {literal(last or '')}"
            connection.execute(f"CREATE VIEW {table} AS {those}")
        connection.execute(statement("views", "first_visits").text)
        return {rank: _first(connection, query) for rank, query in queries.items()}
    finally:
        connection.execute("USE footpath")
        connection.execute("DETACH part")


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    listed = f"SELECT journey_id FROM ({query}) ORDER BY journey_id LIMIT {_SHOWN}"
    return [journey for (journey,) in connection.execute(listed).fetchall()]
