"""Customers of spans and slices, counted over mixes, are those that a plain count of distinct customers finds."""

from __future__ import annotations

import itertools

import duckdb
import numpy as np
import pytest

from sql.spans import declare_spans


@pytest.fixture(params=["2026-01-01", "1969-11-20"])
def lake(request: pytest.FixtureRequest) -> duckdb.DuckDBPyConnection:
    """Forty customers on three hundred days, of one to four strata each; before 1970 as after."""
    rng = np.random.default_rng(5)
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS lake")
    connection.execute("CREATE TABLE lake.settings AS SELECT 0 AS min_group")
    connection.execute(
        f"CREATE TABLE lake.journeys AS SELECT TIMESTAMP '{request.param}' AS started_at"
    )
    connection.execute("CREATE TABLE lake.slices AS SELECT 1 AS slice, 'all' AS segment")
    connection.execute(
        "CREATE TABLE lake.strata AS FROM (VALUES (1, 10), (2, 10), (3, 10), (4, 10), (1, 11), (2, 11), (3, 12), "
        "(4, 12), (2, 13), (4, 13)) AS t (stratum, slice)"
    )
    connection.execute(
        "CREATE TABLE lake.session_days (day DATE, stratum INTEGER, customer INTEGER, sessions BIGINT)"
    )
    rows = [
        (int(rng.integers(300)), int(1 + rng.integers(1 + who % 4)), who)
        for who in range(40)
        for _ in range(30)
    ]
    connection.executemany(
        f"INSERT INTO lake.session_days SELECT DATE '{request.param}' + ?::INTEGER, ?, ?, 1", rows
    )
    declare_spans(connection)
    return connection


def test_customers_of_slices_are_sums_over_mixes(lake: duckdb.DuckDBPyConnection) -> None:
    """In every month, week and over all: as many customers as are distinct among the slice's strata."""
    summed = lake.execute(
        "SELECT span, slice, customers FROM lake.active_customers ORDER BY ALL"
    ).fetchall()
    distinct = lake.execute(
        "SELECT span, slice, count(DISTINCT customer) FROM lake.session_days JOIN lake.spans USING (day) "
        "JOIN lake.strata USING (stratum) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    assert summed == distinct
    assert lake.execute("SELECT count(*) FROM lake.mixes").fetchone() > (10,)


def test_spans_are_months_and_weeks(lake: duckdb.DuckDBPyConnection) -> None:
    """A span is one period's days, and the one before it is three less."""
    starts = lake.execute(
        "SELECT span, count(DISTINCT date_trunc(period, day)), min(date_trunc(period, day)), any_value(period) "
        "FROM lake.spans WHERE period <> 'all' GROUP BY span ORDER BY span % 3, span"
    ).fetchall()
    assert {count for _, count, *_ in starts} == {1}
    for (span, _, start, period), (after, _, then, other) in itertools.pairwise(starts):
        if period == other:
            months = 12 * (then.year - start.year) + then.month - start.month
            steps = months if period == "month" else (then - start).days // 7
            assert after - span == 3 * steps
