-- promise: Arrivals equal departures, and the published number of visits, at every node.
-- grain: level x segment x node
WITH departures AS (
    SELECT level, segment, segment_value, source_node AS node, sum(count) AS departed
    FROM transitions
    WHERE source_node <> 'START'
    GROUP BY ALL
),

arrivals AS (
    SELECT level, segment, segment_value, target_node AS node, sum(count) AS arrived
    FROM transitions
    WHERE target_node NOT IN ('CONVERSION', 'DROP_OFF', 'OPEN')
    GROUP BY ALL
),

compared AS (
    SELECT
        level,
        segment,
        segment_value,
        node,
        coalesce(arrived, 0)::BIGINT AS arrived,
        coalesce(departed, 0)::BIGINT AS departed,
        coalesce(stages.visits, 0) AS visits
    FROM arrivals
    FULL JOIN departures USING (level, segment, segment_value, node)
    FULL JOIN stages USING (level, segment, segment_value, node)
)

SELECT
    level,
    segment,
    segment_value,
    node,
    format(
        '{} {} ({} = {}): {:,} arrivals, {:,} departures, {:,} visits published',
        level, node, segment, segment_value, arrived, departed, visits
    ) AS problem
FROM compared
WHERE arrived <> departed OR arrived <> visits;
