"""Touchpoints, sessions and journeys of a whole run against SQL over the events, and against
each other.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines.job import Run
from tests.oracles import sessions_sql
from tests.spine import table


@pytest.fixture(scope="module")
def con(whole: Run) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables of a whole run."""
    with duckdb.connect() as connection:
        for name in (
            "events",
            "identities",
            "identity_intervals",
            "touchpoints",
            "sessions",
            "journeys",
            "touchpoint_accounting",
        ):
            connection.register(name, table(whole, name))
        yield connection


def test_touchpoints_are_the_events_of_known_customers(con: duckdb.DuckDBPyConnection):
    """Each event with an identifier is the touchpoint of that identifier's customer, or of whoever was on its device
    then, once, and no other is.
    """
    identifiers = [
        name for name, *_ in con.sql("DESCRIBE events").fetchall() if name.startswith("id_")
    ]
    owners = ", ".join(
        f"(SELECT customer_id FROM {table} WHERE namespace = '{name[3:]}' AND value = e.{name}{then})"
        for table, then in (
            ("identities", ""),
            ("identity_intervals", " AND event_time BETWEEN started_at AND ended_at"),
        )
        for name in identifiers
    )
    expected = (
        f"SELECT coalesce({owners}) AS customer_id, source, event_id, event_time FROM events e"
    )
    whole = f"SELECT * FROM ({expected}) WHERE customer_id IS NOT NULL"
    found = "SELECT customer_id, source, event_id, event_time FROM touchpoints"
    assert con.sql(f"({found}) EXCEPT ALL ({whole})").fetchall() == []
    ignored = con.sql("SELECT sum(ignored) FROM touchpoint_accounting").fetchall()[0][0]
    left_out = con.sql(f"SELECT count(*) FROM (({whole}) EXCEPT ALL ({found}))").fetchall()
    assert left_out == [(ignored,)]


def test_sessions_and_journeys_equal_the_oracle(con: duckdb.DuckDBPyConnection, whole: Run):
    """Row for row what window functions and a recursive walk make of the touchpoints."""
    config = whole.config
    session = {"gap": int(config.session.gap.total_seconds() * 1_000_000)}
    assert sessions_sql.difference(con, "sessions", sessions_sql.SESSIONS, session) == []
    journey = {
        "gap": int(config.journey.gap.total_seconds() * 1_000_000),
        "conversion": list(config.journey.conversion),
        "pre_purchase": list(config.pre_purchase_stages),
    }
    assert sessions_sql.difference(con, "journeys", sessions_sql.JOURNEYS, journey) == []
    assert con.sql("SELECT count(*) > 100 FROM journeys").fetchall() == [(True,)]


def test_every_event_is_accounted_for(con: duckdb.DuckDBPyConnection):
    """Events = touchpoints + folded lines + ignored + unidentified, by source."""
    broken = con.sql(
        """
        SELECT * FROM touchpoint_accounting
        JOIN (SELECT source, count(*) AS n FROM events GROUP BY ALL) USING (source)
        WHERE events <> n OR events <> touchpoints + folded_lines + ignored + unidentified
        """
    ).fetchall()
    assert broken == []


def test_each_bucket_holds_whole_customers(whole: Run):
    """A customer's touchpoints lie in one file."""
    seen: dict[str, str] = {}
    for path in whole.lake.paths(whole.draft, "touchpoints"):
        for customer in set(pq.read_table(path, partitioning=None)["customer_id"].to_pylist()):
            assert seen.setdefault(customer, str(path)) == str(path)
