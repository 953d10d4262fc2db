-- promise: Step by step, as many journeys leave a node as arrived there, and all of the slice set out.
-- grain: slice x level x position x node
WITH departures AS (
    SELECT segment, segment_value, level, position, source_node AS node, sum(journeys) AS departed
    FROM journey_flow
    GROUP BY ALL
),

arrivals AS (
    SELECT segment, segment_value, level, position + 1 AS position, target_node AS node, sum(journeys) AS arrived
    FROM journey_flow
    WHERE target_node NOT IN ('MORE', 'CONVERSION', 'DROP_OFF', 'OPEN')
    GROUP BY ALL
    UNION ALL
    SELECT segment, segment_value, level, 0, 'START', journeys
    FROM slices
    CROSS JOIN (VALUES ('stage'), ('touchpoint')) AS levels (level)
)

SELECT
    format(
        '{} {} at step {} ({} = {}): {:,} arrive, {:,} leave',
        level, node, position, segment, segment_value,
        coalesce(arrived, 0)::BIGINT, coalesce(departed, 0)::BIGINT
    ) AS problem
FROM arrivals
FULL JOIN departures USING (segment, segment_value, level, position, node)
WHERE arrived IS DISTINCT FROM departed;
