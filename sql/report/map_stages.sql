-- grain: stage, declared or found, in the map's order
-- invariants: every declared stage is here, with nulls where nothing happened in it
WITH happened AS (
    SELECT stage, stage_position AS position, sum(touchpoints)::BIGINT AS touchpoints
    FROM map_cells
    GROUP BY ALL
),

columns_of_map AS (
    SELECT
        coalesce(stage_order.stage, happened.stage) AS stage,
        coalesce(stage_order.position, happened.position) AS position,
        coalesce(happened.touchpoints, 0) AS touchpoints
    FROM stage_order
    FULL JOIN happened USING (stage)
)

SELECT
    columns_of_map.stage,
    columns_of_map.touchpoints,
    nodes.journeys,
    nodes.journeys / (SELECT count(*) FROM journeys) AS journey_share,
    nodes.customers,
    nodes.conversion_p,
    nodes.dwell_p50_s,
    nodes.csat,
    nodes.csat_low,
    nodes.csat_high,
    nodes.csat_answers,
    nodes.drop_offs,
    nodes.visits - nodes.opens AS drop_off_denominator,
    nodes.drop_off_p,
    nodes.drop_off_low,
    nodes.drop_off_high
FROM columns_of_map
LEFT JOIN stages AS nodes
    ON nodes.node = columns_of_map.stage AND nodes.level = 'stage' AND nodes.segment = 'all'
ORDER BY columns_of_map.position, columns_of_map.stage;
