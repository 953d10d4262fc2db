"""Strata: journeys that are alike in every segment, so that sums over slices need not touch every journey.

A journey lies in as many slices as there are segments: in all journeys, in a month, an entry channel, a persona.
Measured slice by slice, each journey would be counted so many times. Instead it is counted once, in its *stratum*
(the journeys with the same value of every segment, a few hundred of them), and only the counts of strata
are added up to those of slices.

Tables in the schema ``lake``, seen by the files of ``sql/tables/``:

``lake.slices``
    slice, segment, segment_value: every slice the graph was built for, 'all' among them, and personas;
``lake.strata``
    stratum, slice: the slices that the journeys of a stratum lie in;
``lake.journey_strata``
    journey_id, customer, stratum: customers are numbers, in no order that means anything;
``lake.session_days``
    day, stratum, customer, sessions: sessions that began that day.

The numbers hold for one connection only and are never published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from contracts.config import PERSONA, SMALL
from contracts.sql_text import identifier, literal

__all__ = ["PERIOD_NAMES", "declare_strata"]

PERIOD_NAMES = {
    "week": "strftime(started_at, '%G-W%V')",
    "month": "strftime(started_at, '%Y-%m')",
    "quarter": "format('{}-Q{}', year(started_at), quarter(started_at))",
    "year": "strftime(started_at, '%Y')",
}
"""Names of the periods that journeys can be sliced by (`contracts.config.PERIODS`)."""


def declare_strata(
    connection: duckdb.DuckDBPyConnection,
    columns: Iterable[str],
    small_groups: Mapping[str, Sequence[str]],
) -> None:
    """Make the tables above from the lake's journeys, journey_personas, transitions and touchpoints.

    Parameters
    ----------
    connection
        With the views and tables of the lake.
    columns : iterable of str
        Columns of ``lake.journeys``; each can be a segment.
    small_groups : mapping of str to sequence of str
        By segment the values that are told as one.
    """
    known = {PERSONA: "persona_id", **PERIOD_NAMES} | {name: identifier(name) for name in columns}
    found = connection.execute("SELECT DISTINCT segment FROM lake.transitions").fetchall()
    segments = sorted(({segment for (segment,) in found} | {PERSONA}) & known.keys())
    values = ", ".join(
        f"{_value(known[segment], small_groups.get(segment, ()))} AS value_{number}"
        for number, segment in enumerate(segments)
    )
    valued = [f"value_{number}" for number in range(len(segments))]
    connection.execute(
        f"CREATE TEMP TABLE valued AS SELECT journey_id, customer_id, {values} "
        "FROM lake.journeys "
        "LEFT JOIN (SELECT journey_id, persona_id FROM lake.journey_personas) USING (journey_id)"
    )
    connection.execute(
        "CREATE TEMP TABLE strata AS SELECT row_number() OVER ()::INTEGER AS stratum, * "
        f"FROM (SELECT DISTINCT {', '.join(valued)} FROM valued)"
    )
    connection.execute(
        "CREATE TABLE lake.journey_strata AS "
        "WITH customers AS (SELECT row_number() OVER ()::INTEGER AS customer, customer_id "
        "FROM (SELECT DISTINCT customer_id FROM valued)) "
        "SELECT journey_id, customer, stratum FROM valued "
        f"JOIN customers USING (customer_id) JOIN temp.strata USING ({', '.join(valued)})"
    )
    sliced = " UNION ALL ".join(
        [
            "SELECT stratum, 'all' AS segment, 'all' AS segment_value FROM temp.strata",
            *(
                f"SELECT stratum, {literal(segment)}, {value} FROM temp.strata"
                for segment, value in zip(segments, valued, strict=True)
            ),
        ]
    )
    connection.execute(
        "CREATE TABLE lake.slices AS SELECT row_number() OVER ()::INTEGER AS slice, * "
        f"FROM (SELECT DISTINCT segment, segment_value FROM ({sliced}))"
    )
    connection.execute(
        f"CREATE TABLE lake.strata AS SELECT stratum, slice FROM ({sliced}) "
        "JOIN lake.slices USING (segment, segment_value)"
    )
    connection.execute("DROP TABLE valued")
    connection.execute("DROP TABLE temp.strata")
    connection.execute(
        "CREATE TABLE lake.session_days AS "
        "SELECT event_time::DATE AS day, stratum, customer, count(*) AS sessions "
        "FROM lake.touchpoints JOIN lake.journey_strata USING (journey_id) "
        "WHERE session_step = 1 GROUP BY ALL"
    )


def _value(expression: str, small: Sequence[str]) -> str:
    """The slice of a segment that a journey lies in; those with few customers are one."""
    named = f"coalesce({expression}, '(none)')"
    if not small:
        return named
    return f"CASE WHEN {named} IN ({', '.join(map(literal, small))}) THEN {literal(SMALL)} ELSE {named} END"
