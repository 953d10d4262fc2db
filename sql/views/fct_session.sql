-- grain: session
-- invariants: session_id is unique; as many rows as `sessions`; touchpoints add up to the rows of fct_touchpoint
-- comments: sessions
-- example: SELECT month, count(*) AS sessions FROM fct_session JOIN dim_date ON date = started_date GROUP BY month ORDER BY month
CREATE VIEW fct_session AS
SELECT
    sessions.* EXCLUDE (converted),
    started_at::DATE AS started_date,
    converted::INTEGER AS is_converted
FROM sessions;

COMMENT ON VIEW fct_session IS
    'one row per session; key: session_id; to dim_customer, dim_date (started_date), dim_touchpoint (entry_touchpoint, exit_touchpoint)';
COMMENT ON COLUMN fct_session.started_date IS 'day of started_at, UTC (dim_date)';
COMMENT ON COLUMN fct_session.is_converted IS '1 if it holds a conversion, else 0';
