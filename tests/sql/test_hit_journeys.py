"""Examples of pain points: those that their queries list first, however few journeys are asked at a time."""

from __future__ import annotations

import duckdb
import pytest

import sql.hit_journeys
from sql.hit_journeys import store_hit_journeys
from sql.statements import statement

VISITED = "SELECT DISTINCT journey_id FROM first_visits WHERE touchpoint = '{}' ORDER BY journey_id"
QUERIES = {
    1: "SELECT journey_id FROM journeys WHERE exit_touchpoint = 'cart' ORDER BY journey_id",
    2: VISITED.format("help"),
    3: "SELECT journey_id FROM journeys WHERE EXISTS (FROM touchpoints AS later WHERE later.journey_id = "
    "journeys.journey_id AND later.touchpoint = 'help') AND outcome = 'lapsed'",
    5: VISITED.format("nowhere"),
}


@pytest.fixture
def published() -> duckdb.DuckDBPyConnection:
    """Sixty journeys over a cart, of which every seventh asks for help; rank 4 has no query."""
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS footpath")
    connection.execute("USE footpath")
    connection.execute(
        "CREATE TABLE journeys AS SELECT format('j{:02d}', 97 * n % 60) AS journey_id, "
        "TIMESTAMP '2026-01-01' AS started_at, 'cart' AS entry_touchpoint, 'lapsed' AS outcome, "
        "CASE n % 7 WHEN 0 THEN 'help' ELSE 'cart' END AS exit_touchpoint FROM range(60) AS t (n)"
    )
    connection.execute(
        "CREATE TABLE touchpoints AS SELECT journey_id, step, started_at AS event_time, false AS converts, "
        "CASE step WHEN 1 THEN 'cart' ELSE exit_touchpoint END AS touchpoint FROM journeys, range(1, 3) AS t (step)"
    )
    connection.execute(statement("views", "first_visits").text)
    connection.execute("CREATE TABLE pain_points (rank INTEGER, journeys_query VARCHAR)")
    rows = [*QUERIES.items(), (4, None)]
    connection.executemany("INSERT INTO pain_points VALUES (?, ?)", rows)
    return connection


@pytest.mark.parametrize("first", [1, 3, 20_000])
def test_the_first_that_were_hit_are_stored(
    published: duckdb.DuckDBPyConnection, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five of each pain point, or all if there are fewer: what its query lists over all journeys."""
    monkeypatch.setattr(sql.hit_journeys, "_FIRST", first)
    wanted = []
    for rank, query in QUERIES.items():
        listed = published.execute(
            f"SELECT journey_id FROM ({query}) ORDER BY 1 LIMIT 5"
        ).fetchall()
        wanted += [(rank, journey) for (journey,) in listed]
    assert {rank for rank, _ in wanted} == {1, 2, 3}
    store_hit_journeys(published)
    stored = published.execute("FROM pain_point_journeys ORDER BY rank, journey_id").fetchall()
    assert stored == wanted


def test_without_journeys_there_are_no_examples(published: duckdb.DuckDBPyConnection) -> None:
    """An empty database is no error."""
    published.execute("DELETE FROM journeys")
    published.execute("DELETE FROM touchpoints")
    store_hit_journeys(published)
    assert published.execute("SELECT count(*) FROM pain_point_journeys").fetchall() == [(0,)]
