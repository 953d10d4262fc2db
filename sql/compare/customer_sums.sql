-- Needs a table `compared` (journey_id, side): the journeys of the two groups.
-- grain: side x measure x node x target x customer
-- invariants: n is the same for every target of a node; values of a customer's trials are added, for a
--   customer's journeys are alike and must not pass for independent ones
WITH visits AS (
    SELECT
        compared.side,
        journeys.customer_id,
        first_visits.*,
        coalesce(
            goes_to,
            CASE outcome WHEN 'converted' THEN 'CONVERSION' WHEN 'lapsed' THEN 'DROP_OFF' END
        ) AS onward
    FROM compared
    JOIN journeys USING (journey_id)
    JOIN first_visits USING (journey_id)
),
said AS (
    SELECT compared.side, journeys.customer_id, touchpoints.touchpoint, touchpoints.csat
    FROM compared
    JOIN journeys USING (journey_id)
    JOIN touchpoints USING (journey_id)
    WHERE csat IS NOT NULL
),
trials AS (
    SELECT side, customer_id, 'move' AS measure, touchpoint AS node, onward AS target, 1.0 AS x
    FROM visits WHERE onward IS NOT NULL
    UNION ALL
    SELECT side, customer_id, 'convert', touchpoint, '', (NOT unconverted)::DOUBLE
    FROM visits WHERE decided
    UNION ALL
    SELECT side, customer_id, 'drop_off', touchpoint, '', lost::DOUBLE
    FROM visits WHERE decided AND touchpoint <> 'START'
    UNION ALL
    SELECT side, customer_id, 'back', touchpoint, '', goes_back::DOUBLE
    FROM visits WHERE touchpoint <> 'START'
    UNION ALL
    SELECT side, customer_id, 'wait', touchpoint, '', ln(wait_s) FROM visits WHERE wait_s > 0
    UNION ALL
    SELECT side, customer_id, 'satisfaction', touchpoint, '', csat
    FROM said
),
at_node AS (
    SELECT side, customer_id, measure, node, count(*)::DOUBLE AS n
    FROM trials GROUP BY ALL
),
of_target AS (
    SELECT side, customer_id, measure, node, target, sum(x ORDER BY x) AS x
    FROM trials GROUP BY ALL
)
SELECT side, measure, node, target, customer_id, n, coalesce(x, 0.0) AS x
FROM at_node
JOIN (SELECT DISTINCT measure, node, target FROM trials) AS told USING (measure, node)
LEFT JOIN of_target USING (side, customer_id, measure, node, target);
