-- grain: finding, firmest and largest first, each with journeys that it hit
-- A finding belongs to the stage where its touchpoint is commonest.
WITH homes AS (
    SELECT touchpoint, arg_max(stage, (touchpoints, stage)) AS stage
    FROM (SELECT touchpoint, stage, sum(touchpoints) AS touchpoints FROM map_cells GROUP BY ALL)
    GROUP BY touchpoint
),

hit AS (
    SELECT rank, list(journey_id ORDER BY journey_id) AS examples
    FROM pain_point_journeys
    GROUP BY rank
)

SELECT
    pain_points.*,
    CASE pain_points.level WHEN 'stage' THEN node ELSE homes.stage END AS stage,
    coalesce(hit.examples, []) AS examples
FROM pain_points
LEFT JOIN homes ON homes.touchpoint = pain_points.node
LEFT JOIN hit USING (rank)
ORDER BY rank;
