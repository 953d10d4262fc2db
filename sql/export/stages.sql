-- What happens in each stage of the map, in order?
-- grain: stage
-- The experience is told by the same signal in all stages: satisfaction where half of them have answers, else how many
-- journeys went without a call for help, else how many visits were not the last.
WITH told AS (
    SELECT
        count(csat) * 2 >= count(*) AS by_answers,
        count(contact_p) * 2 >= count(*) AND bool_or(contact_p > 0) AS by_contacts
    FROM stages
    WHERE level = 'stage' AND segment = 'all'
)

SELECT
    dim_stage.stage,
    dim_stage.position,
    nodes.visits,
    nodes.journeys,
    nodes.customers,
    CASE WHEN by_answers THEN 'satisfaction' WHEN by_contacts THEN 'no call for help' ELSE 'stay on' END AS signal,
    CASE WHEN by_answers THEN csat WHEN by_contacts THEN 1 - contact_p ELSE 1 - drop_off_p END AS felt,
    CASE WHEN by_answers THEN csat_low WHEN by_contacts THEN 1 - contact_high ELSE 1 - drop_off_high END AS felt_low,
    CASE WHEN by_answers THEN csat_high WHEN by_contacts THEN 1 - contact_low ELSE 1 - drop_off_low END AS felt_high,
    CASE WHEN by_answers THEN csat_answers WHEN by_contacts THEN journeys ELSE visits - opens END AS felt_by,
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
CROSS JOIN told
ORDER BY dim_stage.position;
