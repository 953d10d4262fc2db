-- How many of the customers who were first seen in a period come again in each later one.
-- grain: cohort x later period, 0 for the first
-- invariants: active = customers in period 0; over all cohorts, the active of a period are its `customers` of `kpis`
-- columns: cohort: first day of the period of the customers' first session; periods_later; customers of the cohort; active:
--   those with a session that began in that period; share = active / customers with its 95% Wilson interval low, high;
--   complete: whether the period was over at the watermark (compare only such)
-- example: FROM retention('week') WHERE complete
CREATE MACRO retention(unit := 'week') AS TABLE
WITH visits AS (
    SELECT DISTINCT
        customer_id,
        date_trunc(period_name(unit), started_at)::DATE AS period
    FROM sessions
),

cohorts AS (
    SELECT customer_id, period, min(period) OVER (PARTITION BY customer_id) AS cohort
    FROM visits
),

counted AS (
    SELECT cohort, period, count(*) AS active FROM cohorts GROUP BY ALL
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
    period + period_length(unit) <= watermark AS complete
FROM sizes
JOIN periods ON period >= cohort
LEFT JOIN counted USING (cohort, period)
CROSS JOIN settings
ORDER BY cohort, periods_later;

COMMENT ON MACRO TABLE retention IS
    'one row per cohort and later period: customers who came again, of those who were first seen in the cohort''s period';
