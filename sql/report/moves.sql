-- grain: level x slice x ordered pair of nodes, largest first, at most 300 of all journeys, 150 of a slice
SELECT
    level,
    segment,
    segment_value,
    source_node,
    target_node,
    count,
    journeys,
    denominator,
    probability,
    probability_low,
    probability_high,
    dwell_p50_s
FROM transitions
WHERE level IN ('stage', 'touchpoint') AND count > 0
QUALIFY row_number() OVER (
    PARTITION BY level, segment, segment_value ORDER BY count DESC, source_node, target_node
) <= CASE segment WHEN 'all' THEN 300 ELSE 150 END
ORDER BY segment <> 'all', level, segment, segment_value, count DESC, source_node, target_node;
