-- grain: day, from the first session to the watermark
-- invariants: every date of a fact is here
-- example: SELECT month, sum(is_converted) AS converted FROM fct_journey JOIN dim_date ON date = started_date GROUP BY month ORDER BY month
CREATE VIEW dim_date AS
WITH days AS (
    SELECT unnest(range(
        min(started_at)::DATE, greatest(max(ended_at), max(watermark))::DATE + INTERVAL 1 DAY, INTERVAL 1 DAY
    ))::DATE AS date
    FROM sessions
    CROSS JOIN settings
)

SELECT
    date,
    date_trunc('week', date)::DATE AS week_start,
    strftime(date, '%G-W%V') AS week,
    date_trunc('month', date)::DATE AS month_start,
    strftime(date, '%Y-%m') AS month,
    format('{}-Q{}', year(date), quarter(date)) AS quarter,
    year(date) AS year,
    isodow(date) AS weekday,
    dayname(date) AS weekday_name
FROM days;

COMMENT ON VIEW dim_date IS 'one row per day from the first session to the watermark, UTC; key: date';
COMMENT ON COLUMN dim_date.date IS 'day, UTC';
COMMENT ON COLUMN dim_date.week_start IS 'Monday of its week';
COMMENT ON COLUMN dim_date.week IS 'ISO 8601 week, such as 2025-W07';
COMMENT ON COLUMN dim_date.month_start IS 'first day of its month';
COMMENT ON COLUMN dim_date.month IS 'month, such as 2025-02';
COMMENT ON COLUMN dim_date.quarter IS 'quarter, such as 2025-Q1';
COMMENT ON COLUMN dim_date.year IS 'calendar year';
COMMENT ON COLUMN dim_date.weekday IS '1 for Monday to 7 for Sunday';
COMMENT ON COLUMN dim_date.weekday_name IS 'name of the weekday, English';
