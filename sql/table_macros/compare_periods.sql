-- Two spans of days side by side, both ends included: the journeys that started in each, how many converted, and how many
--   came to each touchpoint.
-- grain: measure x touchpoint
-- invariants: a_of and b_of are the journeys started in each span; of a conversion, those that are mature at the watermark, as in
--   mature_conversion_rate of `kpis`
-- columns: measure: converted (within a journey gap of the start) or reached (a touchpoint); touchpoint; a_journeys of a_of, and
--   b_journeys of b_of; a and b: their shares; difference = b - a with its 95% interval low, high (Newcombe 1998, method 10)
-- example: FROM compare_periods(DATE '2025-02-01', DATE '2025-02-28', DATE '2025-03-01', DATE '2025-03-31')
CREATE MACRO compare_periods(a_first, a_last, b_first, b_last) AS TABLE
WITH started AS (
    SELECT
        journey_id,
        started_at::DATE BETWEEN a_first AND a_last AS in_a,
        started_at::DATE BETWEEN b_first AND b_last AS in_b,
        started_at + to_seconds(journey_gap_s) <= watermark AS mature,
        coalesce(converted_at <= started_at + to_seconds(journey_gap_s), false) AS in_time
    FROM journeys
    CROSS JOIN settings
    WHERE (in_a OR in_b)
        AND is_span('a', a_first, a_last)
        AND is_span('b', b_first, b_last)
        AND CASE
            WHEN a_last::DATE < b_first::DATE OR b_last::DATE < a_first::DATE THEN true
            ELSE error('the periods share days; a comparison needs two that are apart')
        END
),

visited AS (
    SELECT touchpoint, count_if(in_a) AS in_a, count_if(in_b) AS in_b
    FROM (SELECT DISTINCT journey_id, touchpoint FROM touchpoints SEMI JOIN started USING (journey_id))
    JOIN started USING (journey_id)
    GROUP BY touchpoint
),

counted AS (
    SELECT
        'converted' AS measure,
        NULL AS touchpoint,
        count_if(in_a AND mature AND in_time) AS a_journeys,
        count_if(in_a AND mature) AS a_of,
        count_if(in_b AND mature AND in_time) AS b_journeys,
        count_if(in_b AND mature) AS b_of
    FROM started
    UNION ALL
    SELECT
        'reached',
        touchpoint,
        in_a,
        (SELECT count_if(in_a) FROM started),
        in_b,
        (SELECT count_if(in_b) FROM started)
    FROM visited
),

divided AS (
    SELECT *, a_journeys / nullif(a_of, 0) AS a, b_journeys / nullif(b_of, 0) AS b FROM counted
)

SELECT
    measure,
    touchpoint,
    a_journeys,
    a_of,
    b_journeys,
    b_of,
    a,
    b,
    b - a AS difference,
    b - a - sqrt((b - wilson_low(b_journeys, b_of)) ** 2 + (wilson_high(a_journeys, a_of) - a) ** 2) AS low,
    b - a + sqrt((wilson_high(b_journeys, b_of) - b) ** 2 + (a - wilson_low(a_journeys, a_of)) ** 2) AS high
FROM divided
ORDER BY measure, abs(difference) DESC NULLS LAST, touchpoint;

COMMENT ON MACRO TABLE compare_periods IS
    'one row per measure and touchpoint: journeys that started in two spans of days, side by side';
