"""A walked world as the tables of a published database that queries of findings and comparisons read."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from sql.statements import statement

_JOURNEYS = """
CREATE TABLE journeys AS
SELECT whole.*, started_at, entry_touchpoint, exit_touchpoint
FROM whole
JOIN (
    SELECT journey_id, min(event_time) AS started_at,
        arg_min(touchpoint, step) AS entry_touchpoint, arg_max(touchpoint, step) AS exit_touchpoint
    FROM touchpoints GROUP BY ALL
) USING (journey_id)
"""

_STAGES = """
CREATE TABLE stages AS
WITH onward AS (
    SELECT journey_id, touchpoint,
        lead(touchpoint) OVER (PARTITION BY journey_id ORDER BY step) AS next
    FROM touchpoints
)
SELECT 'touchpoint' AS level, 'all' AS segment, 'all' AS segment_value, touchpoint AS node,
    count(*) AS visits, count_if(next IS NULL AND outcome = 'lapsed') AS drop_offs,
    count_if(next IS NULL AND outcome = 'open') AS opens,
    drop_offs / (visits - opens) AS drop_off_p, 0 AS drop_off_low, 1 AS drop_off_high
FROM onward JOIN journeys USING (journey_id) GROUP BY ALL
"""


def database(steps: pa.Table, journeys: pa.Table) -> duckdb.DuckDBPyConnection:
    """Touchpoints, journeys, stages and first_visits, made by SQL of its own from the walks."""
    con = duckdb.connect()
    at = steps.schema.get_field_index("event_time")
    plain = steps["event_time"].cast(pa.timestamp("us"))
    con.register("walked", steps.set_column(at, "event_time", plain))
    con.register("whole", journeys)
    con.execute("CREATE TABLE touchpoints AS FROM walked")
    con.execute(_JOURNEYS)
    con.execute(_STAGES)
    con.execute(statement("views", "first_visits").text)
    return con
