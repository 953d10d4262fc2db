-- What happens in each stage of the map, in order?
-- grain: stage
SELECT
    dim_stage.stage,
    dim_stage.position,
    nodes.visits,
    nodes.journeys,
    nodes.customers,
    nodes.csat,
    nodes.csat_low,
    nodes.csat_high,
    nodes.csat_answers,
    nodes.conversion_p,
    nodes.conversion_low,
    nodes.conversion_high,
    nodes.drop_offs,
    nodes.visits - nodes.opens AS drop_off_denominator,
    nodes.drop_off_p,
    nodes.drop_off_low,
    nodes.drop_off_high
FROM dim_stage
JOIN stages AS nodes
    ON nodes.level = 'stage' AND nodes.segment = 'all' AND nodes.node = dim_stage.stage
ORDER BY dim_stage.position;
