-- grain: period x segment x measure; rows of `kpis` that tell how soon and how often people order
-- invariants: customers with repeat orders <= customers with orders; low <= value <= high; journeys that converted at
--   once and those that took several steps are those that converted
-- With `min_group` only those of all journeys over the whole time: the sums of others would tell small cells.
INSERT INTO kpis BY NAME
WITH numbered AS (
    SELECT
        journey_id,
        event_time,
        row_number() OVER (PARTITION BY customer_id ORDER BY event_time, source, event_id) > 1 AS repeats
    FROM touchpoints
    WHERE converts
),

customers_of_strata AS (
    SELECT period, period_start(period, first_day, event_time) AS start, stratum, customer, bool_or(repeats) AS repeats
    FROM numbered
    JOIN lake.journey_strata USING (journey_id)
    CROSS JOIN lake.told_periods
    GROUP BY ALL
),

customers_by_period AS (
    SELECT period, start, slice, customer, bool_or(repeats) AS repeats
    FROM customers_of_strata
    JOIN lake.told_strata USING (stratum)
    GROUP BY ALL
),

repeated AS (
    SELECT period, start, segment, segment_value, count_if(repeats) AS numerator, count(*) AS denominator
    FROM customers_by_period
    JOIN lake.slices USING (slice)
    GROUP BY ALL
),

-- A journey that begins with its conversion takes no time: a purchase at a till, by somebody not seen before.
at_once AS (
    SELECT journey_id, true AS at_once FROM touchpoints WHERE converts AND step = 1
),

waits_of_strata AS (
    SELECT
        period,
        period_start(period, first_day, converted_at) AS start,
        stratum,
        list(epoch_us(converted_at - started_at)) AS waits,
        count(at_once) AS at_once
    FROM journeys
    LEFT JOIN at_once USING (journey_id)
    JOIN lake.journey_strata USING (journey_id)
    CROSS JOIN lake.told_periods
    WHERE converted
    GROUP BY ALL
),

waits AS (
    SELECT
        period,
        start,
        segment,
        segment_value,
        list_sort(flatten(list(waits))) AS sorted,
        sum(at_once)::BIGINT AS at_once,
        sum(len(waits))::BIGINT AS n
    FROM waits_of_strata
    JOIN lake.told_strata USING (stratum)
    JOIN lake.slices USING (slice)
    GROUP BY ALL
),

shares AS (
    SELECT 'repeat_rate' AS measure, * FROM repeated
    UNION ALL
    SELECT 'converted_at_once', period, start, segment, segment_value, at_once, n FROM waits
),

medians AS (
    SELECT period, start, segment, segment_value, 'time_to_convert' AS measure, sorted, n FROM waits
    UNION ALL
    -- Conversions at once took no time: they come first.
    SELECT period, start, segment, segment_value, 'time_to_convert_in_steps', sorted[at_once + 1:], n - at_once
    FROM waits
    WHERE n > at_once
)

SELECT
    period,
    start AS period_start,
    segment,
    segment_value,
    measure,
    'share' AS unit,
    numerator / denominator AS value,
    wilson_low(numerator, denominator) AS low,
    wilson_high(numerator, denominator) AS high,
    numerator,
    denominator
FROM shares
UNION ALL BY NAME
-- The median lies between two order statistics whose ranks follow from the binomial distribution, whatever the waits' own.
SELECT
    period,
    start AS period_start,
    segment,
    segment_value,
    measure,
    'seconds' AS unit,
    (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2e6 AS value,
    CASE WHEN n > 5 THEN sorted[greatest(1, floor(n / 2 - 0.979982 * sqrt(n)))::BIGINT] / 1e6 END AS low,
    CASE WHEN n > 5 THEN sorted[least(n, ceil(1 + n / 2 + 0.979982 * sqrt(n)))::BIGINT] / 1e6 END AS high,
    n AS denominator
FROM medians;
