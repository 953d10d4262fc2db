-- promise: Every touchpoint is in one journey, and its steps run from 1 to the
--   journey's number of touchpoints.
-- grain: journey
WITH counted AS (
    SELECT
        journey_id,
        count(*) AS found,
        min(step) AS first_step,
        max(step) AS last_step,
        sum(step) AS steps
    FROM touchpoints
    GROUP BY journey_id
)

SELECT
    journey_id,
    format(
        'journey {}: {} touchpoints told, {} found with steps {} to {}',
        coalesce(told.journey_id, counted.journey_id, 'null'),
        coalesce(told.touchpoints, 0),
        coalesce(found, 0),
        coalesce(first_step, 0),
        coalesce(last_step, 0)
    ) AS problem
FROM journeys AS told
FULL JOIN counted USING (journey_id)
WHERE
    told.touchpoints IS DISTINCT FROM found
    OR first_step <> 1
    OR last_step <> found
    OR steps <> found * (found + 1) // 2;
