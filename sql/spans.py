"""Spans of time and who was active in them, so that customers are counted in every slice without a row for each slice.

A *span* is a month, a week or the whole time, as a number. A customer who is active in a span mostly has journeys of
one stratum in it (`sql.strata`), seldom of several. Either way the customer lies in the slices of a *mix*: a stratum,
or a set of them, of which there are few. Customers of slices are sums over mixes, each customer looked at once a span.

Tables and views in the schema ``lake``, seen by the files of ``sql/tables/``:

``lake.kpi_periods``
    period, first_day: all, month and week, and the day of the first journey;
``lake.told_strata``, ``lake.told_periods``
    what of the strata and periods may be told of where sums would tell small cells;
``lake.spans``
    day, period, span: of every day on which a session began; the span before is three less, as there are three periods;
``lake.active``
    span, mix, customer: who began a session in a span; one row a customer and span;
``lake.mixes``
    mix, slice: the slices that the customers of a mix lie in;
``lake.active_customers``
    span, slice, customers: how many began a session in a span, by slice.

Like strata, the numbers hold for one connection only and are never published.
"""

from __future__ import annotations

import duckdb

__all__ = ["declare_spans"]


def declare_spans(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables and views above from those of `sql.strata`, the lake's journeys and its settings."""
    connection.execute(
        "CREATE VIEW lake.kpi_periods AS SELECT period, min(started_at)::DATE AS first_day "
        "FROM lake.journeys CROSS JOIN (VALUES ('all'), ('month'), ('week')) AS t (period) GROUP BY period"
    )
    everything = "(SELECT min_group FROM lake.settings) = 0"
    connection.execute(
        f"CREATE VIEW lake.told_periods AS FROM lake.kpi_periods WHERE period = 'all' OR {everything}"
    )
    connection.execute(
        "CREATE VIEW lake.told_strata AS SELECT stratum, slice FROM lake.strata "
        f"JOIN lake.slices USING (slice) WHERE segment = 'all' OR {everything}"
    )
    connection.execute(
        "CREATE TABLE lake.spans AS "
        "SELECT day, period, (3 * CASE period WHEN 'all' THEN 0 "
        "ELSE date_diff(period, DATE '1970-01-05', date_trunc(period, day)) END + place)::INTEGER AS span "
        "FROM (SELECT DISTINCT day FROM lake.session_days) "
        "CROSS JOIN (VALUES ('all', 0), ('month', 1), ('week', 2)) AS t (period, place)"
    )
    connection.execute(
        "CREATE TEMP TABLE seen AS "
        "SELECT span, customer, min(stratum) AS stratum, min(stratum) <> max(stratum) AS several "
        "FROM lake.session_days JOIN lake.spans USING (day) GROUP BY span, customer"
    )
    connection.execute(
        "CREATE TEMP TABLE mixed AS "
        "SELECT span, customer, list_sort(list(DISTINCT stratum)) AS strata "
        "FROM lake.session_days JOIN lake.spans USING (day) "
        "SEMI JOIN (FROM temp.seen WHERE several) USING (span, customer) GROUP BY span, customer"
    )
    connection.execute(
        "CREATE TEMP TABLE sets AS SELECT strata, "
        "((SELECT max(stratum) FROM lake.strata) + row_number() OVER ())::INTEGER AS mix "
        "FROM (SELECT DISTINCT strata FROM temp.mixed)"
    )
    connection.execute(
        "CREATE TABLE lake.active AS SELECT span, stratum AS mix, customer FROM temp.seen WHERE NOT several "
        "UNION ALL SELECT span, mix, customer FROM temp.mixed JOIN temp.sets USING (strata)"
    )
    connection.execute(
        "CREATE TABLE lake.mixes AS SELECT stratum AS mix, slice FROM lake.strata "
        "UNION ALL SELECT DISTINCT mix, slice "
        "FROM (SELECT mix, unnest(strata) AS stratum FROM temp.sets) JOIN lake.strata USING (stratum)"
    )
    connection.execute(
        "CREATE TABLE lake.active_customers AS SELECT span, slice, sum(customers)::BIGINT AS customers "
        "FROM (SELECT span, mix, count(*) AS customers FROM lake.active GROUP BY ALL) "
        "JOIN lake.mixes USING (mix) GROUP BY ALL"
    )
    for table in ("seen", "mixed", "sets"):
        connection.execute(f"DROP TABLE temp.{table}")
