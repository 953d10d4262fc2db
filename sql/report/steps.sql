-- grain: level x slice x position x ordered pair of nodes, where at least one journey in 500 of the slice moves so
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
WHERE journey_flow.journeys >= 0.002 * slices.journeys
ORDER BY segment <> 'all', level, segment, segment_value, position, journey_flow.journeys DESC, source_node, target_node;
