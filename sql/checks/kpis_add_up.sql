-- promise: KPIs agree with the tables they sum up, and the periods of each length add up to the whole,
--   unless some are left out for their few customers.
-- grain: period x measure
WITH expected (measure, total) AS (
    SELECT 'journeys_started', count(*)::DECIMAL(38, 4) FROM journeys
    UNION ALL
    SELECT 'sessions', count(*) FROM sessions
    UNION ALL
    SELECT 'orders', count(*) FROM touchpoints WHERE converts
    UNION ALL
    SELECT 'revenue', coalesce(sum(value), 0) FROM touchpoints WHERE converts
),

published AS (
    SELECT period, measure, sum(value::DECIMAL(38, 4)) AS total
    FROM kpis
    WHERE segment = 'all'
    GROUP BY ALL
),

compared AS (
    SELECT
        lengths.period,
        expected.measure,
        expected.total AS expected,
        coalesce(published.total, 0) AS published
    FROM expected
    CROSS JOIN (VALUES ('all'), ('month'), ('week')) AS lengths (period)
    LEFT JOIN published
        ON published.period = lengths.period AND published.measure = expected.measure
)

SELECT
    period,
    measure,
    format(
        '{} by {}: kpis add up to {}, the tables to {}', measure, period, published, expected
    ) AS problem
FROM compared
WHERE
    abs(published - expected) > 0.01
    AND (period = 'all' OR (SELECT min_group FROM settings) = 0);
