-- grain: journey
-- invariants: a walk has journeys.touchpoints letters between those of START and of its end
CREATE TABLE journey_walks AS
WITH walked AS (
    SELECT journey_id, array_to_string(list(letter ORDER BY step), '') AS letters
    FROM touchpoints
    JOIN journey_letters USING (touchpoint)
    GROUP BY journey_id
)

SELECT
    journey_id,
    customer_id,
    '<' || letters || CASE outcome WHEN 'converted' THEN '>' WHEN 'lapsed' THEN '!' ELSE '~' END AS walk
FROM walked
JOIN journeys USING (journey_id)
ORDER BY customer_id, started_at, journey_id;

COMMENT ON TABLE journey_walks IS 'one row per journey: its touchpoints in one text; key: journey_id';
COMMENT ON COLUMN journey_walks.journey_id IS 'journey';
COMMENT ON COLUMN journey_walks.customer_id IS 'resolved customer';
COMMENT ON COLUMN journey_walks.walk IS
    'START, its touchpoints in order, and CONVERSION, DROP_OFF or OPEN, a letter each (journey_letters)';
