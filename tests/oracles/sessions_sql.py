"""Sessions and journeys recomputed in DuckDB SQL from published events and identities.

Nothing of footpath's own kernels is used: customers come from the table `identities`, order and gaps from window
functions, journeys from a recursive walk over each customer's touchpoints.
"""

from __future__ import annotations

import duckdb

SESSIONS = """
WITH ordered AS (
  SELECT *, lag(event_time) OVER w AS before
  FROM touchpoints WINDOW w AS (PARTITION BY customer_id ORDER BY event_time, source, event_id)
),
numbered AS (
  SELECT *, sum(CASE WHEN before IS NULL OR event_time - before > to_microseconds($gap) THEN 1 ELSE 0 END)
    OVER (PARTITION BY customer_id ORDER BY event_time, source, event_id) AS session
  FROM ordered
)
SELECT customer_id, min(event_time) AS started_at, max(event_time) AS ended_at, count(*)::INT AS touchpoints,
  (epoch_us(max(event_time)) - epoch_us(min(event_time))) / 1e6 AS session_duration_s
FROM numbered GROUP BY customer_id, session
"""

JOURNEYS = """
WITH RECURSIVE ordered AS (
  SELECT customer_id, event_time, touchpoint, stage,
    row_number() OVER (PARTITION BY customer_id ORDER BY event_time, source, event_id) AS n,
    lag(event_time) OVER (PARTITION BY customer_id ORDER BY event_time, source, event_id) AS before
  FROM touchpoints
),
walk AS (
  SELECT customer_id, n, event_time, 1 AS journey, list_contains($conversion, touchpoint) AS converted
  FROM ordered WHERE n = 1
  UNION ALL
  SELECT o.customer_id, o.n, o.event_time,
    CASE WHEN cut THEN w.journey + 1 ELSE w.journey END,
    (NOT cut AND w.converted) OR list_contains($conversion, o.touchpoint)
  FROM walk w JOIN ordered o ON o.customer_id = w.customer_id AND o.n = w.n + 1,
    LATERAL (SELECT o.event_time - o.before > to_microseconds($gap)
      OR (w.converted AND list_contains($pre_purchase, o.stage)) AS cut)
)
SELECT customer_id, min(event_time) AS started_at, max(event_time) AS ended_at, count(*)::INT AS touchpoints,
  bool_or(converted) AS converted
FROM walk GROUP BY customer_id, journey
"""


def difference(con: duckdb.DuckDBPyConnection, table: str, oracle: str, parameters: dict) -> list:
    """Rows of the published table that the oracle lacks, and the reverse."""
    columns = {
        "sessions": "customer_id, started_at, ended_at, touchpoints, session_duration_s",
        "journeys": "customer_id, started_at, ended_at, touchpoints, converted",
    }[table]
    expected = con.sql(oracle, params=parameters).to_arrow_table()
    con.register("expected", expected)
    published = f"SELECT {columns} FROM {table}"
    recomputed = f"SELECT {columns} FROM expected"
    return con.sql(
        f"SELECT 'only published', * FROM ({published} EXCEPT ALL {recomputed}) UNION ALL "
        f"SELECT 'only oracle', * FROM ({recomputed} EXCEPT ALL {published})"
    ).fetchall()
