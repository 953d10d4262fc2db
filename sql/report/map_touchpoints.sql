-- grain: touchpoint, by the stage where it is commonest, and there by the mean step at which journeys meet it
--   (the page draws those of a stage in the order of models/node_order.py)
SELECT touchpoint, stage, touchpoint IN (SELECT touchpoint FROM touchpoints WHERE converts) AS converts
FROM map_cells
GROUP BY touchpoint, stage, stage_position
QUALIFY row_number() OVER (
    PARTITION BY touchpoint ORDER BY sum(touchpoints) DESC, stage_position, stage
) = 1
ORDER BY stage_position, round(sum(touchpoints * mean_step) / sum(touchpoints), 6), touchpoint;
