-- What hurts, and where would better help most?
-- grain: finding, ranked
SELECT
    rank,
    pain_points.kind,
    pain_points.level,
    node,
    coalesce(dim_touchpoint.stage, node) AS stage,
    target,
    segment,
    segment_value,
    begins,
    ends,
    unit,
    measured,
    measured_low,
    measured_high,
    baseline,
    denominator,
    p_value,
    q_value,
    cost_journeys,
    cost_value,
    sentence,
    query
FROM pain_points
LEFT JOIN dim_touchpoint ON pain_points.level = 'touchpoint' AND dim_touchpoint.touchpoint = node
ORDER BY rank;
