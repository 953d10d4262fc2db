-- promise: START is left once by every journey; no segment holds more journeys than there are.
-- grain: level x segment
WITH started AS (
    SELECT level, segment, sum(count)::BIGINT AS departed
    FROM transitions
    WHERE source_node = 'START'
    GROUP BY ALL
),

levels AS (
    SELECT level, 'all' AS segment
    FROM (VALUES ('stage'), ('touchpoint')) AS t (level)
),

compared AS (
    SELECT
        level,
        segment,
        coalesce(departed, 0) AS departed,
        (SELECT count(*) FROM journeys) AS journeys
    FROM started
    FULL JOIN levels USING (level, segment)
)

SELECT
    level,
    segment,
    format(
        'level {}, segment {}: START is left {:,} times by {:,} journeys',
        level, segment, departed, journeys
    ) AS problem
FROM compared
WHERE departed > journeys OR (segment = 'all' AND departed <> journeys);
