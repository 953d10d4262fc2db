-- grain: touchpoint, START and the ends of journeys
-- invariants: every touchpoint of a fact is here
-- example: SELECT stage, touchpoint, touchpoints FROM dim_touchpoint WHERE kind = 'touchpoint' ORDER BY stage_position, touchpoints DESC
CREATE VIEW dim_touchpoint AS
WITH summed AS (
    SELECT
        touchpoint,
        arg_max(stage, (touchpoints, stage)) AS stage,
        arg_max(channel, (touchpoints, channel)) AS channel,
        count(DISTINCT channel)::INTEGER AS channels,
        sum(touchpoints)::BIGINT AS touchpoints
    FROM map_cells
    GROUP BY touchpoint
)

SELECT
    letters.touchpoint,
    CASE WHEN dim_stage.kind IN ('start', 'end') THEN dim_stage.kind ELSE 'touchpoint' END AS kind,
    coalesce(summed.stage, letters.touchpoint) AS stage,
    dim_stage.position AS stage_position,
    channel,
    coalesce(channels, 0) AS channels,
    coalesce(touchpoints, 0) AS touchpoints
FROM journey_letters AS letters
LEFT JOIN summed ON summed.touchpoint = letters.touchpoint
LEFT JOIN dim_stage ON dim_stage.stage = coalesce(summed.stage, letters.touchpoint);

COMMENT ON VIEW dim_touchpoint IS
    'one row per touchpoint, START, CONVERSION, DROP_OFF and OPEN; key: touchpoint';
COMMENT ON COLUMN dim_touchpoint.touchpoint IS
    'what happened, in the map''s vocabulary, or START, CONVERSION, DROP_OFF, OPEN';
COMMENT ON COLUMN dim_touchpoint.kind IS 'touchpoint, start or end';
COMMENT ON COLUMN dim_touchpoint.stage IS
    'stage that it belongs to most often (fct_touchpoint tells each time''s own)';
COMMENT ON COLUMN dim_touchpoint.stage_position IS 'place of that stage on the map';
COMMENT ON COLUMN dim_touchpoint.channel IS 'channel where it happens most often; null for START and the ends';
COMMENT ON COLUMN dim_touchpoint.channels IS 'number of channels where it happens';
COMMENT ON COLUMN dim_touchpoint.touchpoints IS 'how often it happened';
