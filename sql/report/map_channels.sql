-- grain: channel, in the order in which journeys tend to meet them
SELECT channel, sum(touchpoints)::BIGINT AS touchpoints
FROM map_cells
GROUP BY channel
ORDER BY sum(stage_position * touchpoints) / sum(touchpoints), channel;
