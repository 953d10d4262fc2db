-- grain: period x segment x measure; rows of `kpis` that tell of customers over time
-- invariants: of a period, new + current + returning + resurrected are the customers with a session in it; with at_risk and
--   dormant they are all customers seen until its end; only periods that are over at the watermark are told
-- With `min_group` there are none: the sums of others would tell small cells.
INSERT INTO kpis BY NAME
WITH days AS (
    SELECT DISTINCT period, date_trunc(period, day)::DATE AS start, stratum, customer
    FROM lake.session_days
    CROSS JOIN lake.told_periods
    WHERE period <> 'all'
),

active AS (
    SELECT DISTINCT period, start, date_diff(period, DATE '1970-01-05', start) AS number, slice, customer
    FROM days
    JOIN lake.strata USING (stratum)
),

counted AS (
    SELECT active.period, active.start, active.number, active.slice, count(*) AS customers, count(before.customer) AS retained
    FROM active
    LEFT JOIN active AS before
        ON before.period = active.period
        AND before.slice = active.slice
        AND before.customer = active.customer
        AND before.number = active.number - 1
    GROUP BY ALL
),

placed AS (
    SELECT
        period,
        number,
        min(number) OVER earlier AS first_active,
        lag(number) OVER earlier AS before_last
    FROM active
    JOIN lake.slices USING (slice)
    WHERE segment = 'all'
    WINDOW earlier AS (PARTITION BY period, customer ORDER BY number)
),

lived AS (
    SELECT
        period,
        number,
        count_if(lifecycle(number, first_active, number, before_last) = 'new') AS new,
        count_if(lifecycle(number, first_active, number, before_last) = 'current') AS stayed,
        count_if(lifecycle(number, first_active, number, before_last) = 'returning') AS came_back,
        count_if(lifecycle(number, first_active, number, before_last) = 'resurrected') AS resurrected
    FROM placed
    GROUP BY ALL
),

-- Every period from the first to the last that is over, whether anybody came or not.
periods AS (
    SELECT period, start, date_diff(period, DATE '1970-01-05', start) AS number
    FROM (
        SELECT
            period,
            unnest(range(min(start)::TIMESTAMP, max(watermark) - period_length(period) + INTERVAL 1 MICROSECOND,
                period_length(period)))::DATE AS start
        FROM counted
        CROSS JOIN lake.settings
        GROUP BY period
    )
),

filled AS (
    SELECT
        periods.period,
        periods.start,
        periods.number,
        segment,
        segment_value,
        coalesce(customers, 0) AS customers,
        coalesce(retained, 0) AS retained,
        coalesce(lag(customers) OVER in_order, 0) AS customers_before
    FROM periods
    CROSS JOIN (SELECT DISTINCT slice FROM counted) AS known
    JOIN lake.slices USING (slice)
    LEFT JOIN counted USING (period, number, slice)
    WINDOW in_order AS (PARTITION BY periods.period, known.slice ORDER BY periods.number)
),

states AS (
    UNPIVOT (
        SELECT
            period,
            start,
            segment,
            segment_value,
            coalesce(new, 0) AS customers_new,
            coalesce(stayed, 0) AS customers_current,
            coalesce(came_back, 0) AS customers_returning,
            coalesce(resurrected, 0) AS customers_resurrected,
            customers_before - retained AS customers_at_risk,
            (coalesce(sum(new) OVER in_order, 0) - customers - (customers_before - retained))::BIGINT AS customers_dormant
        FROM filled
        LEFT JOIN lived USING (period, number)
        WHERE segment = 'all'
        WINDOW in_order AS (PARTITION BY period ORDER BY number)
    )
    ON customers_new, customers_current, customers_returning, customers_resurrected, customers_at_risk, customers_dormant
    INTO NAME measure VALUE count
)

SELECT period, start AS period_start, segment, segment_value, measure, 'customers' AS unit, count::DOUBLE AS value
FROM states
UNION ALL BY NAME
SELECT
    period,
    start AS period_start,
    segment,
    segment_value,
    'retention_rate' AS measure,
    'share' AS unit,
    retained / customers_before AS value,
    wilson_low(retained, customers_before) AS low,
    wilson_high(retained, customers_before) AS high,
    retained AS numerator,
    customers_before AS denominator
FROM filled
WHERE customers_before > 0;
