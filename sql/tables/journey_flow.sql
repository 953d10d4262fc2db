-- grain: segment x segment_value x level x position x ordered pair of nodes: how journeys begin, step by step
-- invariants: of every slice and level, what arrives at a node at a position leaves it there; position 0 is
--   START, and all journeys of the slice leave it; after position 8 a journey that goes on moves to MORE
-- Stages are taken with repeats collapsed (journeys.path), touchpoints as they came.
CREATE TABLE journey_flow AS
WITH stage_steps AS (
    SELECT journey_id, outcome, stages.stage AS node, stages.position
    FROM journeys, unnest(string_split(path, ' > ')) WITH ORDINALITY AS stages (stage, position)
    WHERE stages.position <= 9
),

touchpoint_steps AS (
    SELECT journey_id, outcome, touchpoint AS node, step::BIGINT AS position
    FROM touchpoints
    JOIN journeys USING (journey_id)
    WHERE step <= 9
),

steps AS (
    SELECT 'stage' AS level, * FROM stage_steps
    UNION ALL
    SELECT 'touchpoint', * FROM touchpoint_steps
),

moves AS (
    SELECT
        level,
        journey_id,
        position,
        node AS source_node,
        CASE
            WHEN lead(node) OVER in_journey IS NULL
                THEN CASE outcome
                    WHEN 'converted' THEN 'CONVERSION' WHEN 'lapsed' THEN 'DROP_OFF' ELSE 'OPEN'
                END
            WHEN position = 8 THEN 'MORE'
            ELSE lead(node) OVER in_journey
        END AS target_node
    FROM steps
    WINDOW in_journey AS (PARTITION BY level, journey_id ORDER BY position)
),

begun AS (
    SELECT level, journey_id, 0 AS position, 'START' AS source_node, source_node AS target_node
    FROM moves
    WHERE position = 1
    UNION ALL
    SELECT level, journey_id, position, source_node, target_node
    FROM moves
    WHERE position <= 8
),

begun_by_stratum AS (
    SELECT stratum, level, position, source_node, target_node, count(*) AS journeys
    FROM begun
    JOIN lake.journey_strata USING (journey_id)
    GROUP BY ALL
)

SELECT
    segment,
    segment_value,
    level,
    position::INTEGER AS position,
    source_node,
    target_node,
    sum(journeys)::BIGINT AS journeys
FROM begun_by_stratum
JOIN lake.strata USING (stratum)
JOIN lake.slices USING (slice)
SEMI JOIN stages USING (segment, segment_value)
GROUP BY ALL
ORDER BY ALL;

COMMENT ON TABLE journey_flow IS
    'one row per segment x segment_value x level x position x pair of nodes: the first eight steps of all journeys';
COMMENT ON COLUMN journey_flow.segment IS 'attribute the journeys were sliced by; all for none';
COMMENT ON COLUMN journey_flow.segment_value IS 'value of that attribute; all for none';
COMMENT ON COLUMN journey_flow.level IS 'what a node is: stage (repeats collapsed) or touchpoint';
COMMENT ON COLUMN journey_flow.position IS 'place of source_node in the journey; 0 is START';
COMMENT ON COLUMN journey_flow.source_node IS 'node at that place, or START';
COMMENT ON COLUMN journey_flow.target_node IS
    'node at the next place; MORE after the eighth; CONVERSION, DROP_OFF or OPEN where the journey has ended or stands';
COMMENT ON COLUMN journey_flow.journeys IS 'journeys that make this move at this place';
