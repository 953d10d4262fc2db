-- grain: period x segment x measure; rows of `kpis` that tell of customers over time
-- invariants: of a period, new + current + returning + resurrected are the customers with a session in it; with at_risk and
--   dormant they are all customers seen until its end; only periods that are over at the watermark are told
-- With `min_group` there are none: the sums of others would tell small cells.
INSERT INTO kpis BY NAME
-- A span is a numbered month or week, told in one number (`sql.spans`): the one before is three less.
WITH moments AS (
    SELECT DISTINCT span, period, date_diff(period, DATE '1970-01-05', date_trunc(period, day)) AS number
    FROM lake.spans
    JOIN lake.told_periods USING (period)
    WHERE period <> 'all'
),

stayed AS (
    SELECT active.span, active.mix, before.mix AS mix_before, count(*) AS customers
    FROM lake.active
    JOIN lake.active AS before ON before.span = active.span - 3 AND before.customer = active.customer
    GROUP BY ALL
),

retained_of_spans AS (
    SELECT span, mixes.slice, sum(customers)::BIGINT AS retained
    FROM stayed
    JOIN lake.mixes USING (mix)
    JOIN lake.mixes AS before ON before.mix = stayed.mix_before AND before.slice = mixes.slice
    GROUP BY ALL
),

counted AS (
    SELECT period, number, slice, customers, coalesce(retained, 0) AS retained
    FROM lake.active_customers
    JOIN moments USING (span)
    LEFT JOIN retained_of_spans USING (span, slice)
),

placed AS (
    SELECT
        span,
        min(span) OVER earlier AS first_active,
        lag(span) OVER earlier AS before_last
    FROM lake.active
    JOIN moments USING (span)
    WINDOW earlier AS (PARTITION BY period, customer ORDER BY span)
),

alike AS (
    SELECT
        period,
        number,
        number - (span - first_active) // 3 AS first_active,
        number - (span - before_last) // 3 AS before_last,
        count(*) AS customers
    FROM placed
    JOIN moments USING (span)
    GROUP BY ALL
),

lived AS (
    SELECT
        period,
        number,
        sum(customers) FILTER (lifecycle(number, first_active, number, before_last) = 'new') AS new,
        sum(customers) FILTER (lifecycle(number, first_active, number, before_last) = 'current') AS stayed,
        sum(customers) FILTER (lifecycle(number, first_active, number, before_last) = 'returning') AS came_back,
        sum(customers) FILTER (lifecycle(number, first_active, number, before_last) = 'resurrected') AS resurrected
    FROM alike
    GROUP BY ALL
),

-- Every period from the first to the last that is over, whether anybody came or not.
periods AS (
    SELECT period, start, date_diff(period, DATE '1970-01-05', start) AS number
    FROM (
        SELECT
            period,
            unnest(range(
                date_trunc(period, min(day))::TIMESTAMP,
                max(watermark) - period_length(period) + INTERVAL 1 MICROSECOND,
                period_length(period)
            ))::DATE AS start
        FROM lake.session_days
        CROSS JOIN lake.told_periods
        CROSS JOIN lake.settings
        WHERE period <> 'all'
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
