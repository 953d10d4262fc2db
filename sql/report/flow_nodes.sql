-- grain: level x node, in the order of the stages
-- A touchpoint stands in the stage where it is commonest, and there in the order in which journeys meet it.
WITH ranked AS (
    SELECT
        touchpoint,
        stage,
        stage_position,
        sum(touchpoints) AS touchpoints,
        sum(touchpoints * mean_step) / sum(touchpoints) AS mean_step
    FROM map_cells
    GROUP BY touchpoint, stage, stage_position
    QUALIFY row_number() OVER (
        PARTITION BY touchpoint ORDER BY sum(touchpoints) DESC, stage_position, stage
    ) = 1
)

SELECT
    'touchpoint' AS level,
    touchpoint AS node,
    stage,
    stage_position - 0.5 + (row_number() OVER step_order - 0.5) / count(*) OVER whole_stage AS position
FROM ranked
WINDOW
    whole_stage AS (PARTITION BY stage),
    step_order AS (PARTITION BY stage ORDER BY mean_step, touchpoint)
UNION ALL
SELECT DISTINCT 'stage', stage, stage, stage_position
FROM map_cells
ORDER BY level, position, node;
