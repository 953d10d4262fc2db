-- grain: stage x channel x touchpoint, commonest first
SELECT *
FROM map_cells
ORDER BY stage_position, touchpoints DESC, channel, touchpoint;
