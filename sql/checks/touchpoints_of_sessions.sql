-- promise: Every touchpoint is in one session, and its steps run from 1 to the
--   session's number of touchpoints.
-- grain: session
WITH counted AS (
    SELECT
        session_id,
        count(*) AS found,
        min(session_step) AS first_step,
        max(session_step) AS last_step,
        sum(session_step) AS steps
    FROM touchpoints
    GROUP BY session_id
)

SELECT
    session_id,
    format(
        'session {}: {} touchpoints told, {} found with steps {} to {}',
        coalesce(told.session_id, counted.session_id, 'null'),
        coalesce(told.touchpoints, 0),
        coalesce(found, 0),
        coalesce(first_step, 0),
        coalesce(last_step, 0)
    ) AS problem
FROM sessions AS told
FULL JOIN counted USING (session_id)
WHERE
    told.touchpoints IS DISTINCT FROM found
    OR first_step <> 1
    OR last_step <> found
    OR steps <> found * (found + 1) // 2;
