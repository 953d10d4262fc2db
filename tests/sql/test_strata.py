"""A journey's stratum lies in the slices that the journey lies in, and sessions are counted in it."""

from __future__ import annotations

import duckdb
import pytest

from sql.strata import declare_strata


@pytest.fixture
def lake() -> duckdb.DuckDBPyConnection:
    """Five journeys of three customers, sliced by device and month; one has no device."""
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake")
    connection.execute(
        "CREATE TABLE lake.journeys AS SELECT * FROM (VALUES "
        "('j1', 'ann', 'phone', TIMESTAMP '2026-01-05'), ('j2', 'ann', 'phone', TIMESTAMP '2026-01-20'), "
        "('j3', 'bob', NULL, TIMESTAMP '2026-01-07'), ('j4', 'bob', 'watch', TIMESTAMP '2026-02-01'), "
        "('j5', 'cem', 'phone', TIMESTAMP '2026-02-02')) AS t (journey_id, customer_id, device, started_at)"
    )
    connection.execute(
        "CREATE TABLE lake.journey_personas AS SELECT 'j1' AS journey_id, 'p1' AS persona_id"
    )
    connection.execute(
        "CREATE TABLE lake.transitions AS SELECT unnest(['all', 'device', 'month', 'gone']) AS segment"
    )
    connection.execute(
        "CREATE TABLE lake.touchpoints AS SELECT journey_id, started_at + to_hours(n) AS event_time, n AS session_step "
        "FROM lake.journeys, range(1, 3) AS t (n)"
    )
    return connection


def slices(connection: duckdb.DuckDBPyConnection) -> dict[str, set[tuple[str, str]]]:
    found = connection.execute(
        "SELECT journey_id, segment, segment_value FROM lake.journey_strata "
        "JOIN lake.strata USING (stratum) JOIN lake.slices USING (slice)"
    ).fetchall()
    return {j: {(s, v) for journey, s, v in found if journey == j} for j, _, _ in found}


def test_a_journey_lies_in_the_slices_of_its_values(lake: duckdb.DuckDBPyConnection) -> None:
    """In 'all', in one slice of every segment that is known, and in one of its persona."""
    declare_strata(lake, ["journey_id", "device"], {})
    everyone = ("all", "all")
    jan, feb = ("month", "2026-01"), ("month", "2026-02")
    phone, none = ("device", "phone"), ("persona", "(none)")
    assert slices(lake) == {
        "j1": {everyone, jan, phone, ("persona", "p1")},
        "j2": {everyone, jan, phone, none},
        "j3": {everyone, jan, ("device", "(none)"), none},
        "j4": {everyone, feb, ("device", "watch"), none},
        "j5": {everyone, feb, phone, none},
    }
    strata = dict(
        lake.execute("SELECT stratum, count(*) FROM lake.journey_strata GROUP BY 1").fetchall()
    )
    assert sorted(strata.values()) == [1, 1, 1, 1, 1]


def test_small_values_are_one(lake: duckdb.DuckDBPyConnection) -> None:
    """Journeys that differ in values told as one only are in one stratum."""
    declare_strata(
        lake, ["device"], {"device": ["(none)", "watch"], "month": ["2026-01", "2026-02"]}
    )
    found = slices(lake)
    assert found["j3"] == found["j4"]
    assert len(lake.execute("SELECT DISTINCT stratum FROM lake.strata").fetchall()) == 3


def test_sessions_are_counted_where_they_begin(lake: duckdb.DuckDBPyConnection) -> None:
    """One session a journey here, on the day it began, of its customer."""
    declare_strata(lake, ["device"], {})
    assert lake.execute(
        "SELECT sum(sessions), count(DISTINCT customer), count(DISTINCT day) FROM lake.session_days"
    ).fetchone() == (5, 3, 5)
