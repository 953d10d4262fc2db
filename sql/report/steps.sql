-- grain: level x slice x position x ordered pair of nodes: the first six steps, and moves of one journey in 200 of
--   the slice at least
SELECT
    level,
    segment,
    segment_value,
    position,
    source_node,
    target_node,
    journey_flow.journeys
FROM journey_flow
JOIN slices USING (segment, segment_value)
WHERE position < 6 AND journey_flow.journeys >= 0.005 * slices.journeys
ORDER BY segment <> 'all', level, segment, segment_value, position, journey_flow.journeys DESC, source_node, target_node;
