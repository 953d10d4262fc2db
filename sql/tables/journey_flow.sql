-- grain: segment x segment_value x level x position x ordered pair of nodes: how journeys begin, step by step
-- invariants: of every slice and level, what arrives at a node at a position leaves it there; position 0 is
--   START, and all journeys of the slice leave it; after position 8 a journey that goes on moves to MORE
-- Stages are taken with repeats collapsed (journeys.path), touchpoints as they came.
-- Many journeys begin alike: beginnings are counted first, and then cut into moves.
CREATE TABLE journey_flow AS
WITH paths AS (
    SELECT stratum, outcome, string_split(path, ' > ')[:9] AS nodes, count(*) AS journeys
    FROM journeys
    JOIN lake.journey_strata USING (journey_id)
    GROUP BY ALL
),

walks AS (
    SELECT stratum, left(walk, 10) AS letters, count(*) AS journeys
    FROM journey_walks
    JOIN lake.journey_strata USING (journey_id)
    GROUP BY ALL
),

stage_moves AS (
    SELECT
        stratum,
        position,
        CASE position WHEN 0 THEN 'START' ELSE nodes[position] END AS source_node,
        CASE
            WHEN position = len(nodes)
                THEN CASE outcome
                    WHEN 'converted' THEN 'CONVERSION' WHEN 'lapsed' THEN 'DROP_OFF' ELSE 'OPEN'
                END
            WHEN position = 8 THEN 'MORE'
            ELSE nodes[position + 1]
        END AS target_node,
        sum(journeys) AS journeys
    FROM (SELECT *, unnest(range(least(len(nodes), 8) + 1)) AS position FROM paths)
    GROUP BY ALL
),

letter_moves AS (
    SELECT
        stratum,
        position,
        letters[position + 1] AS source_letter,
        letters[position + 2] AS target_letter,
        sum(journeys) AS journeys
    FROM (SELECT *, unnest(range(length(letters) - 1)) AS position FROM walks)
    GROUP BY ALL
),

moves AS (
    SELECT 'stage' AS level, * FROM stage_moves
    UNION ALL
    SELECT
        'touchpoint',
        stratum,
        position,
        source.touchpoint,
        CASE WHEN position = 8 AND target_letter NOT IN ('>', '!', '~') THEN 'MORE' ELSE target.touchpoint END,
        journeys
    FROM letter_moves
    JOIN journey_letters AS source ON source.letter = source_letter
    JOIN journey_letters AS target ON target.letter = target_letter
)

SELECT
    segment,
    segment_value,
    level,
    position::INTEGER AS position,
    source_node,
    target_node,
    sum(journeys)::BIGINT AS journeys
FROM moves
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
