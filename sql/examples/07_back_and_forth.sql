-- Between which touchpoints do people go back and forth (A, B, A)?
-- grain: ordered pair of touchpoints
WITH windows AS (
    SELECT
        journey_id,
        touchpoint AS a,
        lead(touchpoint, 1) OVER steps AS b,
        lead(touchpoint, 2) OVER steps AS back
    FROM journey_steps
    WINDOW steps AS (PARTITION BY journey_id ORDER BY step)
)

SELECT
    a,
    b,
    count(*) FILTER (back = a) AS returns,
    count(*) AS moves_from_a_to_b,
    returns / moves_from_a_to_b AS return_share
FROM windows
WHERE b IS NOT NULL AND a <> b
GROUP BY a, b
HAVING returns > 0
ORDER BY returns DESC, a, b
LIMIT 10;
