-- promise: CONVERSION, DROP_OFF and OPEN are reached by the converted, the lapsed and the open
--   journeys.
-- grain: level x end
WITH ended AS (
    SELECT level, target_node AS ending, sum(count)::BIGINT AS arrived
    FROM transitions
    WHERE segment = 'all' AND target_node IN ('CONVERSION', 'DROP_OFF', 'OPEN')
    GROUP BY ALL
),

outcomes AS (
    SELECT
        level,
        ending,
        (SELECT count(*) FROM journeys WHERE journeys.outcome = ends.outcome) AS journeys
    FROM (VALUES ('CONVERSION', 'converted'), ('DROP_OFF', 'lapsed'), ('OPEN', 'open'))
        AS ends (ending, outcome)
    CROSS JOIN (SELECT level FROM ended UNION VALUES ('stage'), ('touchpoint')) AS levels (level)
)

SELECT
    level,
    ending,
    format(
        'level {}: {} is reached {:,} times by {:,} journeys',
        level, ending, coalesce(arrived, 0), coalesce(journeys, 0)
    ) AS problem
FROM ended
FULL JOIN outcomes USING (level, ending)
WHERE coalesce(arrived, 0) <> coalesce(journeys, 0);
