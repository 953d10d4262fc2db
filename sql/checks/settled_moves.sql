-- promise: The settled visits of a node are its settled moves; none of them leads to OPEN, and none is
--   settled that was not counted.
-- grain: level x segment x node
WITH left_behind AS (
    SELECT
        level,
        segment,
        segment_value,
        source_node AS node,
        sum(settled)::BIGINT AS moves,
        coalesce(sum(settled) FILTER (target_node = 'OPEN'), 0)::BIGINT AS to_open
    FROM transitions
    WHERE source_node <> 'START'
    GROUP BY ALL
)

SELECT
    level,
    segment,
    segment_value,
    node,
    format(
        '{} {} ({} = {}): {:,} settled of {:,} visits, {:,} settled moves, {:,} of them to OPEN',
        level, node, segment, segment_value,
        coalesce(settled, 0), coalesce(visits, 0), coalesce(moves, 0), coalesce(to_open, 0)
    ) AS problem
FROM stages
FULL JOIN left_behind USING (level, segment, segment_value, node)
WHERE settled IS DISTINCT FROM moves OR to_open > 0 OR settled > visits;
