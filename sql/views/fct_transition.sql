-- grain: move of a journey: START to its first touchpoint, each touchpoint to the next, the last to the journey's end
-- invariants: (journey_id, step) is unique; counted by source_touchpoint and target_touchpoint the rows are `count` of
--   `transitions`, level touchpoint; every node is left as often as it is reached
-- example: SELECT source_touchpoint, target_touchpoint, count(*) AS moves FROM fct_transition GROUP BY ALL ORDER BY moves DESC LIMIT 10
CREATE VIEW fct_transition AS
WITH ended AS (
    SELECT
        *,
        CASE outcome WHEN 'converted' THEN 'CONVERSION' WHEN 'lapsed' THEN 'DROP_OFF' ELSE 'OPEN' END AS ending
    FROM journeys
)

SELECT
    journey_id,
    0 AS step,
    ended.customer_id,
    started_at AS moved_at,
    started_at::DATE AS date,
    'START' AS source_touchpoint,
    entry_touchpoint AS target_touchpoint,
    'START' AS source_stage,
    first.stage AS target_stage,
    NULL::DOUBLE AS dwell_s
FROM ended
JOIN touchpoints AS first USING (journey_id)
WHERE first.step = 1
UNION ALL
SELECT
    journey_id,
    step,
    touchpoints.customer_id,
    event_time,
    event_time::DATE,
    touchpoint,
    coalesce(lead(touchpoint) OVER in_journey, ending),
    stage,
    coalesce(lead(stage) OVER in_journey, ending),
    dwell_s
FROM touchpoints
JOIN ended USING (journey_id)
WINDOW in_journey AS (PARTITION BY journey_id ORDER BY step);

COMMENT ON VIEW fct_transition IS
    'one row per move of a journey; key: journey_id, step; to dim_customer, dim_date, dim_stage, dim_touchpoint (source_, target_)';
COMMENT ON COLUMN fct_transition.journey_id IS 'journey';
COMMENT ON COLUMN fct_transition.step IS 'step of the touchpoint that is left; 0 for START';
COMMENT ON COLUMN fct_transition.customer_id IS 'resolved customer';
COMMENT ON COLUMN fct_transition.moved_at IS 'time of the touchpoint that is left, of START of the first one, UTC';
COMMENT ON COLUMN fct_transition.date IS 'day of moved_at, UTC (dim_date)';
COMMENT ON COLUMN fct_transition.source_touchpoint IS 'touchpoint left, or START';
COMMENT ON COLUMN fct_transition.target_touchpoint IS 'touchpoint reached, or CONVERSION, DROP_OFF, OPEN';
COMMENT ON COLUMN fct_transition.source_stage IS 'its stage, or START';
COMMENT ON COLUMN fct_transition.target_stage IS 'its stage, or CONVERSION, DROP_OFF, OPEN';
COMMENT ON COLUMN fct_transition.dwell_s IS 'seconds to the touchpoint reached; null from START and to the ends';
