-- What becomes of the customers who first came to a touchpoint in the same period: who is active in each later one, and
--   what they order.
-- grain: cohort x later period, 0 for the first
-- invariants: active = customers in period 0; all customers of all cohorts are the customers who ever came to the touchpoint
-- columns: cohort: first day of the period in which the customers first came to the touchpoint; periods_later; customers of
--   the cohort; active: those with a touchpoint in that period, from that moment on; share = active / customers with its
--   95% Wilson interval low, high; orders: their conversions in that period, from that moment on; revenue: the value of
--   these (null where there are several currencies); complete: whether the period was over at the watermark
-- example: FROM cohort('purchase', 'month') WHERE complete
CREATE MACRO cohort(touchpoint_name, unit := 'month') AS TABLE
WITH firsts AS (
    SELECT customer_id, min(event_time) AS first_time
    FROM touchpoints
    WHERE touchpoint = (SELECT touchpoint FROM journey_letters WHERE letter = letter_of_touchpoint(touchpoint_name))
    GROUP BY customer_id
),

by_customer AS (
    SELECT
        customer_id,
        date_trunc(period_name(unit), any_value(first_time))::DATE AS cohort,
        date_trunc(period_name(unit), event_time)::DATE AS period,
        count_if(converts) AS orders,
        sum(value) FILTER (converts) AS revenue,
        min(currency) FILTER (converts) AS currency,
        max(currency) FILTER (converts) AS other_currency
    FROM touchpoints
    JOIN firsts USING (customer_id)
    WHERE event_time >= first_time
    GROUP BY customer_id, period
),

counted AS (
    SELECT
        cohort,
        period,
        count(*) AS active,
        sum(orders)::BIGINT AS orders,
        CASE WHEN min(currency) IS NOT DISTINCT FROM max(other_currency) THEN sum(revenue) END AS revenue
    FROM by_customer
    GROUP BY cohort, period
),

sizes AS (
    SELECT cohort, active AS customers FROM counted WHERE cohort = period
),

periods AS (
    SELECT unnest(range(min(period)::TIMESTAMP, greatest(max(period), max(watermark)) + INTERVAL 1 MICROSECOND, period_length(unit)))::DATE AS period
    FROM counted
    CROSS JOIN settings
)

SELECT
    cohort,
    date_diff(period_name(unit), cohort, period)::INTEGER AS periods_later,
    customers,
    coalesce(active, 0) AS active,
    coalesce(active, 0) / customers AS share,
    wilson_low(coalesce(active, 0), customers) AS low,
    wilson_high(coalesce(active, 0), customers) AS high,
    coalesce(orders, 0) AS orders,
    revenue,
    period + period_length(unit) <= watermark AS complete
FROM sizes
JOIN periods ON period >= cohort
LEFT JOIN counted USING (cohort, period)
CROSS JOIN settings
ORDER BY cohort, periods_later;

COMMENT ON MACRO TABLE cohort IS
    'one row per cohort and later period: customers who first came to a touchpoint in the same period, and what they do later';
