-- Where journeys are at their first, second, ... step; who has ended stays at the end, in every later step.
-- grain: step x node
-- invariants: the journeys of every step add up to all journeys
-- columns: step from 1; node: touchpoint, or CONVERSION, DROP_OFF, OPEN for journeys that have ended before; journeys;
--   share of all journeys
-- example: PIVOT step_matrix(8) ON step USING sum(share) GROUP BY node
CREATE MACRO step_matrix(steps := 8) AS TABLE
WITH counted AS (
    SELECT step, touchpoint AS node, count(*) AS journeys
    FROM touchpoints
    WHERE step <= at_least('steps', steps, 1)
    GROUP BY ALL
    UNION ALL
    SELECT
        unnest(range(touchpoints + 1, at_least('steps', steps, 1) + 1))::INTEGER,
        CASE outcome WHEN 'converted' THEN 'CONVERSION' WHEN 'lapsed' THEN 'DROP_OFF' ELSE 'OPEN' END,
        count(*)
    FROM journeys
    WHERE touchpoints < steps
    GROUP BY touchpoints, outcome
),

summed AS (
    SELECT step, node, sum(journeys)::BIGINT AS journeys FROM counted GROUP BY ALL
)

SELECT step, node, journeys, journeys / sum(journeys) OVER (PARTITION BY step) AS share
FROM summed
ORDER BY step, journeys DESC, node;

COMMENT ON MACRO TABLE step_matrix IS
    'one row per step and node: where journeys are at each of their first steps, or have ended before';
