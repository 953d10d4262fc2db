-- grain: stage, declared or found, in the map's order
-- invariants: every declared stage is here, also where nothing happened in it
WITH found AS (
    SELECT stage, any_value(stage_position) AS position
    FROM map_cells
    GROUP BY stage
)

SELECT coalesce(stage_order.stage, found.stage) AS stage
FROM stage_order
FULL JOIN found USING (stage)
ORDER BY coalesce(stage_order.position, found.position), stage;
