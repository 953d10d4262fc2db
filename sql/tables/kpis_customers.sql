-- grain: period x segment x measure; rows of `kpis` that tell of customers over time
-- invariants: of a period, new + current + returning + resurrected are the customers with a session in it; with at_risk and
--   dormant they are all customers seen until its end; only periods that are over at the watermark are told
-- With `min_group` there are none: the sums of others would tell small cells.
INSERT INTO kpis BY NAME
WITH active AS (
    SELECT DISTINCT
        period,
        date_trunc(period, event_time)::DATE AS start,
        date_diff(period, DATE '1970-01-05', date_trunc(period, event_time)::DATE) AS number,
        segment,
        segment_value,
        customer_id
    FROM touchpoints
    JOIN lake.kpi_segments USING (journey_id)
    CROSS JOIN lake.told_periods
    WHERE session_step = 1 AND period <> 'all'
),

placed AS (
    SELECT
        *,
        min(number) OVER earlier AS first_active,
        lag(number) OVER earlier AS before_last
    FROM active
    WINDOW earlier AS (PARTITION BY period, segment, segment_value, customer_id ORDER BY number)
),

counted AS (
    SELECT
        period,
        start,
        number,
        segment,
        segment_value,
        count(*) AS customers,
        count_if(before_last = number - 1) AS retained,
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
        slices.segment,
        slices.segment_value,
        coalesce(customers, 0) AS customers,
        coalesce(retained, 0) AS retained,
        coalesce(new, 0) AS new,
        coalesce(stayed, 0) AS stayed,
        coalesce(came_back, 0) AS came_back,
        coalesce(resurrected, 0) AS resurrected,
        coalesce(lag(customers) OVER in_order, 0) AS customers_before,
        sum(new) OVER in_order AS seen
    FROM periods
    CROSS JOIN (SELECT DISTINCT segment, segment_value FROM counted) AS slices
    LEFT JOIN counted USING (period, number, segment, segment_value)
    WINDOW in_order AS (PARTITION BY periods.period, slices.segment, slices.segment_value ORDER BY periods.number)
),

states AS (
    UNPIVOT (
        SELECT
            period,
            start,
            segment,
            segment_value,
            new AS customers_new,
            stayed AS customers_current,
            came_back AS customers_returning,
            resurrected AS customers_resurrected,
            customers_before - retained AS customers_at_risk,
            (coalesce(seen, 0) - customers - (customers_before - retained))::BIGINT AS customers_dormant
        FROM filled
        WHERE segment = 'all'
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
