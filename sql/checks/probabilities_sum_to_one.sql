-- promise: The probabilities of leaving a node, OPEN left out, sum to 1; each is count / denominator.
-- grain: level x segment x node left
WITH summed AS (
    SELECT
        level,
        segment,
        segment_value,
        source_node,
        sum(count) FILTER (target_node <> 'OPEN') AS departed,
        sum(probability) FILTER (target_node <> 'OPEN') AS total,
        count_if(target_node <> 'OPEN' AND (
            probability IS NULL
            OR abs(probability - count / denominator) > 1e-9
            OR NOT probability BETWEEN probability_low - 1e-9 AND probability_high + 1e-9
        )) AS wrong,
        count_if(target_node = 'OPEN' AND probability IS NOT NULL) AS wrong_open,
        min(denominator) FILTER (target_node <> 'OPEN') AS least,
        max(denominator) FILTER (target_node <> 'OPEN') AS greatest
    FROM transitions
    GROUP BY ALL
)

SELECT
    level,
    segment,
    segment_value,
    source_node,
    format(
        '{} {} ({} = {}): probabilities sum to {:.9f}, {} of them are not count / denominator; '
        '{:,} departures, denominator {:,} to {:,}',
        level, source_node, segment, segment_value,
        coalesce(total, 0), wrong + wrong_open, coalesce(departed, 0)::BIGINT,
        coalesce(least, 0), coalesce(greatest, 0)
    ) AS problem
FROM summed
WHERE
    abs(total - 1) > 1e-9
    OR wrong + wrong_open > 0
    OR departed <> least
    OR departed <> greatest;
