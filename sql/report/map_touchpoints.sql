-- grain: touchpoint, by the stage where it is commonest, and there in the order in which journeys meet it
SELECT
    touchpoint,
    stage,
    sum(touchpoints * mean_step) / sum(touchpoints) AS mean_step
FROM map_cells
GROUP BY touchpoint, stage, stage_position
QUALIFY row_number() OVER (
    PARTITION BY touchpoint ORDER BY sum(touchpoints) DESC, stage_position, stage
) = 1
ORDER BY stage_position, mean_step, touchpoint;
