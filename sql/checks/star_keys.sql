-- promise: Every key of a fact is one of its dimension.
-- grain: fact x dimension x key
-- touchpoints_of_journeys and touchpoints_of_sessions prove the rest: a touchpoint's journey and session are there.
-- Facts are many and their keys few, so keys are made distinct first.
WITH touchpoint_keys AS (
    SELECT DISTINCT stage, touchpoint, date FROM fct_touchpoint
),

session_keys AS (
    SELECT DISTINCT entry_touchpoint, exit_touchpoint, started_date FROM fct_session
),

journey_keys AS (
    SELECT DISTINCT entry_touchpoint, exit_touchpoint, persona_id FROM fct_journey
),

used AS (
    SELECT 'fct_touchpoint' AS fact, 'dim_stage' AS dimension, stage AS key FROM touchpoint_keys
    UNION
    SELECT 'fct_touchpoint', 'dim_touchpoint', touchpoint FROM touchpoint_keys
    UNION
    SELECT 'fct_touchpoint', 'dim_date', date::VARCHAR FROM touchpoint_keys
    UNION
    SELECT 'fct_session', 'dim_touchpoint', unnest([entry_touchpoint, exit_touchpoint]) FROM session_keys
    UNION
    SELECT 'fct_session', 'dim_date', started_date::VARCHAR FROM session_keys
    UNION
    SELECT 'fct_journey', 'dim_touchpoint', unnest([entry_touchpoint, exit_touchpoint]) FROM journey_keys
    UNION
    SELECT 'fct_journey', 'dim_persona', persona_id FROM journey_keys
    UNION
    SELECT 'dim_customer', 'dim_persona', persona_id FROM customer_personas
    UNION
    SELECT 'fct_session', 'dim_customer', customer_id FROM fct_session ANTI JOIN journeys USING (customer_id)
    UNION
    SELECT 'fct_journey', 'dim_customer', customer_id FROM fct_journey ANTI JOIN sessions USING (customer_id)
),

known AS (
    SELECT 'dim_stage' AS dimension, stage AS key FROM dim_stage
    UNION ALL
    SELECT 'dim_touchpoint', touchpoint FROM dim_touchpoint
    UNION ALL
    SELECT 'dim_date', date::VARCHAR FROM dim_date
    UNION ALL
    SELECT 'dim_persona', persona_id FROM dim_persona
)

SELECT
    fact,
    dimension,
    key,
    format('{}: ''{}'' is not in {}', fact, coalesce(key, 'null'), dimension) AS problem
FROM used
ANTI JOIN known USING (dimension, key);
