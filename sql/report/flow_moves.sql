-- grain: level x ordered pair of nodes, over all journeys, largest first
SELECT
    level,
    source_node,
    target_node,
    count,
    journeys,
    journeys / (SELECT count(*) FROM journeys) AS journey_share,
    probability,
    probability_low,
    probability_high,
    denominator,
    dwell_p50_s
FROM transitions
WHERE segment = 'all' AND count > 0
ORDER BY level, count DESC, source_node, target_node;
