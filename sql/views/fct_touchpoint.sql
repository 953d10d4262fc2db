-- grain: touchpoint
-- invariants: (journey_id, step) is unique; as many rows as `touchpoints`
-- comments: touchpoints
-- example: SELECT channel, sum(is_conversion) AS orders, sum(value) AS money FROM fct_touchpoint GROUP BY channel ORDER BY orders DESC
CREATE VIEW fct_touchpoint AS
SELECT
    touchpoints.* EXCLUDE (converts),
    event_time::DATE AS date,
    converts::INTEGER AS is_conversion
FROM touchpoints;

COMMENT ON VIEW fct_touchpoint IS
    'one row per touchpoint of a customer; key: journey_id, step; to dim_customer, dim_date, dim_stage, dim_touchpoint';
COMMENT ON COLUMN fct_touchpoint.date IS 'day of event_time, UTC (dim_date)';
COMMENT ON COLUMN fct_touchpoint.is_conversion IS '1 for a conversion, else 0';
