-- grain: level x slice x node: stages and touchpoints
SELECT * EXCLUDE (dwell_p10_s, dwell_p90_s, chain_order, settled, settled_converted)
FROM stages
WHERE level IN ('stage', 'touchpoint')
ORDER BY segment <> 'all', level, segment, segment_value, node;
