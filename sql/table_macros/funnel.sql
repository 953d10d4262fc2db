-- How many journeys come to the first of some touchpoints, then, later, to the second, and so on, the last
--   within a time of the first (a journey may begin again: its latest first touchpoint counts).
-- grain: step of the funnel
-- invariants: journeys = went_on + lost + still_open; journeys of the next step = went_on; those of step 1 are the
--   journeys that hold the touchpoint (stages.journeys)
-- columns: step, touchpoint; journeys and customers that got so far; went_on: journeys that came to the next step (at the
--   last step all); lost: those that did not, and are closed; still_open: those that did not, and whose last touchpoint is
--   not older than the journey gap; went_on_p = went_on / (went_on + lost) with its 95% Wilson interval low, high;
--   share: journeys / journeys of step 1
-- example: FROM funnel(['product_view', 'add_to_cart', 'purchase'], within := INTERVAL 7 DAY)
CREATE MACRO funnel(steps, within := INTERVAL 1000 YEAR) AS TABLE
WITH RECURSIVE asked AS (
    SELECT CASE
        WHEN coalesce(len(steps), 0) = 0
            THEN error('a funnel needs a list of one touchpoint or more, as in funnel([''search'', ''purchase'']); this one is empty')
        WHEN within IS NULL OR within < INTERVAL 0 SECOND
            THEN error(format('within is {}; it must be an interval of 0 or more, as in INTERVAL 7 DAY', coalesce(within::VARCHAR, 'NULL')))
        ELSE steps::VARCHAR[]
    END AS touchpoints
),

listed AS (
    SELECT unnest(touchpoints) AS touchpoint, generate_subscripts(touchpoints, 1)::INTEGER AS position FROM asked
),

wanted AS MATERIALIZED (
    SELECT touchpoint, position
    FROM listed
    WHERE letter_of_touchpoint(listed.touchpoint) IS NOT NULL
),

taken AS MATERIALIZED (
    SELECT journey_id, step, event_time, position
    FROM touchpoints
    JOIN wanted USING (touchpoint)
),

-- Of all ways to a touchpoint, the one that began latest has the most time left.
reached AS (
    SELECT journey_id, step, event_time AS began, position
    FROM taken
    WHERE position = 1
    UNION ALL
    SELECT taken.journey_id, taken.step, max(reached.began), taken.position
    FROM reached
    JOIN taken
        ON taken.journey_id = reached.journey_id
        AND taken.position = reached.position + 1
        AND taken.step > reached.step
    WHERE taken.event_time <= reached.began + within
    GROUP BY taken.journey_id, taken.step, taken.position
),

farthest AS (
    SELECT
        journey_id,
        any_value(customer_id) AS customer_id,
        max(position) AS position,
        bool_or(watermark - ended_at <= to_seconds(journey_gap_s)) AS running
    FROM reached
    JOIN journeys USING (journey_id)
    CROSS JOIN settings
    GROUP BY journey_id
),

by_journey AS (
    SELECT position, count(*) AS journeys, count_if(running) AS running FROM farthest GROUP BY position
),

by_customer AS (
    SELECT position, count(*) AS customers
    FROM (SELECT max(position) AS position FROM farthest GROUP BY customer_id)
    GROUP BY position
),

counted AS (
    SELECT
        wanted.position,
        wanted.touchpoint,
        coalesce(sum(journeys) FILTER (by_journey.position >= wanted.position), 0)::BIGINT AS journeys,
        coalesce(sum(journeys) FILTER (by_journey.position > wanted.position), 0)::BIGINT AS beyond,
        coalesce(sum(running) FILTER (by_journey.position = wanted.position), 0)::BIGINT AS running,
        coalesce(any_value(customers), 0)::BIGINT AS customers,
        wanted.position = len(steps) AS is_last
    FROM wanted
    LEFT JOIN by_journey ON true
    LEFT JOIN (
        SELECT wanted.position AS at, sum(customers) AS customers
        FROM wanted
        JOIN by_customer ON by_customer.position >= wanted.position
        GROUP BY wanted.position
    ) AS customers_at ON customers_at.at = wanted.position
    GROUP BY wanted.position, wanted.touchpoint
),

divided AS (
    SELECT
        *,
        CASE WHEN is_last THEN journeys ELSE beyond END AS went_on,
        CASE WHEN is_last THEN 0 ELSE running END AS still_open,
        journeys - went_on - still_open AS lost
    FROM counted
)

SELECT
    position AS step,
    touchpoint,
    journeys,
    customers,
    went_on,
    lost,
    still_open,
    went_on / nullif(went_on + lost, 0) AS went_on_p,
    wilson_low(went_on, went_on + lost) AS low,
    wilson_high(went_on, went_on + lost) AS high,
    journeys / nullif(first_value(journeys) OVER (ORDER BY position), 0) AS share
FROM divided
ORDER BY position;

COMMENT ON MACRO TABLE funnel IS
    'one row per step: journeys that come to a list of touchpoints one after another, within a time of the first';
