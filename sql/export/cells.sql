-- Which touchpoints happen in each stage and channel, the most frequent first?
-- grain: stage x channel x touchpoint
SELECT
    stage,
    channel,
    touchpoint,
    touchpoints,
    touchpoint IN (SELECT touchpoint FROM touchpoints WHERE converts) AS converts,
    share,
    csat,
    csat_answers,
    drop_offs,
    drop_off_denominator,
    drop_off_p,
    drop_off_low,
    drop_off_high,
    pain_rank
FROM map_cells
ORDER BY stage_position, sum(touchpoints) OVER (PARTITION BY channel) DESC, channel, touchpoints DESC, touchpoint;
