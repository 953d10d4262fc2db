-- grain: period x segment x measure (x currency for money)
-- invariants: counts of 'month', and of 'week', add up to those of 'all' where none is left out, but for
--   customers, who may come again; every share carries its numerator, its denominator and a 95% Wilson interval
-- The other files kpis_*.sql add the rest of the measures.
-- Segments are properties of a journey; what happens in a journey belongs to its segments.
-- With `min_group`, cells of fewer customers are left out, and as many others as keep them from being told.
-- Definitions: the table kpi_definitions. All sums are exact, so that no order of rows matters.
CREATE TABLE kpis AS
WITH started AS (
    SELECT
        journey_id,
        started_at AS moment,
        outcome,
        started_at + settings.journey_gap <= settings.watermark AS mature,
        coalesce(converted_at <= started_at + settings.journey_gap, false) AS in_time
    FROM journeys
    CROSS JOIN lake.settings AS settings
),

ordered AS (
    SELECT journey_id, event_time AS moment, value, currency
    FROM touchpoints
    WHERE converts
),

-- Everything is counted by day and stratum (journeys alike in every segment), then spread over periods, then over slices.
journeys_by_day AS (
    SELECT
        moment::DATE AS day,
        stratum,
        count(*) AS journeys,
        count_if(outcome = 'converted') AS converted,
        count_if(outcome = 'lapsed') AS lapsed,
        count_if(mature) AS mature,
        count_if(mature AND in_time) AS in_time
    FROM started
    JOIN lake.journey_strata USING (journey_id)
    GROUP BY ALL
),

orders_by_day AS (
    SELECT
        moment::DATE AS day,
        stratum,
        coalesce(currency, 'none') AS currency,
        count(*) AS orders,
        count(value) AS valued,
        sum(value)::DECIMAL(38, 4) AS revenue,
        sum((value::DOUBLE * value::DOUBLE)::DECIMAL(38, 4)) AS squares
    FROM ordered
    JOIN lake.journey_strata USING (journey_id)
    GROUP BY ALL
),

journeys_of_strata AS (
    SELECT
        period,
        period_start(period, first_day, days.day) AS start,
        stratum,
        sum(journeys) AS journeys,
        sum(converted) AS converted,
        sum(converted + lapsed) AS ended,
        sum(mature) AS mature,
        sum(in_time) AS in_time
    FROM journeys_by_day AS days
    CROSS JOIN lake.kpi_periods
    GROUP BY ALL
),

journeys_by_period AS (
    SELECT
        period,
        start,
        slice,
        sum(journeys)::BIGINT AS journeys,
        sum(converted)::BIGINT AS converted,
        sum(ended)::BIGINT AS ended,
        sum(mature)::BIGINT AS mature,
        sum(in_time)::BIGINT AS in_time
    FROM journeys_of_strata
    JOIN lake.strata USING (stratum)
    GROUP BY ALL
),

sessions_by_day AS (
    SELECT day, stratum, sum(sessions) AS sessions
    FROM lake.session_days
    GROUP BY ALL
),

sessions_of_strata AS (
    SELECT period, period_start(period, first_day, days.day) AS start, stratum, sum(sessions) AS sessions
    FROM sessions_by_day AS days
    CROSS JOIN lake.kpi_periods
    GROUP BY ALL
),

sessions_by_period AS (
    SELECT period, start, slice, sum(sessions)::BIGINT AS sessions
    FROM sessions_of_strata
    JOIN lake.strata USING (stratum)
    GROUP BY ALL
),

customers_by_period AS (
    SELECT period, start, slice, customers
    FROM lake.active_customers
    JOIN (
        SELECT DISTINCT span, period, period_start(period, first_day, day) AS start
        FROM lake.spans
        JOIN lake.kpi_periods USING (period)
    ) USING (span)
),

orders_by_period AS (
    SELECT
        period,
        period_start(period, first_day, days.day) AS start,
        slice,
        currency,
        sum(orders)::BIGINT AS orders,
        sum(valued)::BIGINT AS valued,
        sum(revenue) AS revenue,
        sum(squares) AS squares
    FROM orders_by_day AS days
    JOIN lake.strata USING (stratum)
    CROSS JOIN lake.kpi_periods
    GROUP BY ALL
),

measured AS (
    SELECT period, start, slice,
        'journeys_started' AS measure, journeys::DOUBLE AS value, 'journeys' AS unit,
        NULL::BIGINT AS numerator, NULL::BIGINT AS denominator
    FROM journeys_by_period
    UNION ALL
    SELECT period, start, slice,
        'conversion_rate', converted / nullif(ended, 0), 'share', converted, ended
    FROM journeys_by_period
    UNION ALL
    SELECT period, start, slice,
        'mature_conversion_rate', in_time / nullif(mature, 0), 'share', in_time, mature
    FROM journeys_by_period
    UNION ALL
    SELECT period, start, slice,
        'sessions', sessions, 'sessions', NULL, NULL
    FROM sessions_by_period
    UNION ALL
    SELECT period, start, slice,
        'customers', customers, 'customers', NULL, NULL
    FROM customers_by_period
    UNION ALL
    SELECT period, start, slice,
        'orders', sum(orders), 'orders', NULL, NULL
    FROM orders_by_period
    GROUP BY ALL
    UNION ALL
    SELECT period, start, slice,
        'revenue', revenue, currency, NULL, NULL
    FROM orders_by_period
    WHERE valued > 0
    UNION ALL
    SELECT period, start, slice,
        'average_order_value', revenue::DOUBLE / valued, currency, NULL, valued
    FROM orders_by_period
    WHERE valued > 0
),

sized AS (
    SELECT
        measured.period,
        measured.start,
        slice,
        any_value(segment) AS segment,
        coalesce(any_value(customers), 0) AS customers,
        coalesce(any_value(customers), 0) < any_value(settings.min_group) AS small
    FROM measured
    JOIN lake.slices USING (slice)
    LEFT JOIN customers_by_period USING (period, start, slice)
    CROSS JOIN lake.settings AS settings
    GROUP BY ALL
),

-- A period left out could be told from the others and their sum. So the history of a segment is told as a whole
-- or not at all, and that of all journeys is without its small periods and the smallest of the others.
ranked AS (
    SELECT
        *,
        bool_or(small) OVER (PARTITION BY period, segment) AS beside_small,
        row_number() OVER (PARTITION BY period, segment, small ORDER BY customers, start) AS place
    FROM sized
),

hidden AS (
    SELECT period, start, slice
    FROM ranked
    WHERE small OR (beside_small AND (segment <> 'all' OR place = 1))
),

-- Of the mean of many orders; of one there is no telling.
order_errors AS (
    SELECT
        period, start, slice, currency AS unit, 'average_order_value' AS measure,
        1.959964 * sqrt(
            greatest(0, squares::DOUBLE - revenue::DOUBLE * revenue::DOUBLE / valued) / (valued - 1) / valued
        ) AS half
    FROM orders_by_period
    WHERE valued > 1
)

SELECT
    period,
    start AS period_start,
    segment,
    segment_value,
    measure,
    unit,
    value,
    CASE WHEN unit = 'share' THEN wilson_low(numerator, denominator) ELSE value - half END AS low,
    CASE WHEN unit = 'share' THEN wilson_high(numerator, denominator) ELSE value + half END AS high,
    numerator,
    denominator
FROM measured
JOIN lake.slices USING (slice)
LEFT JOIN order_errors USING (period, start, slice, unit, measure)
ANTI JOIN hidden USING (period, start, slice)
ORDER BY ALL;

COMMENT ON TABLE kpis IS
    'one row per period x segment x measure (x currency for money); definitions: kpi_definitions';
COMMENT ON COLUMN kpis.period IS 'length of the period: all, month or week (from Monday), UTC';
COMMENT ON COLUMN kpis.period_start IS 'first day of the period; of all: day of the first journey';
COMMENT ON COLUMN kpis.segment IS
    'attribute the journeys were sliced by; all for none; stage or channel of the touchpoint (csat, nps, first_contact_resolution)';
COMMENT ON COLUMN kpis.segment_value IS 'value of that attribute; all for none';
COMMENT ON COLUMN kpis.measure IS 'what is measured (kpi_definitions)';
COMMENT ON COLUMN kpis.unit IS
    'what is counted; share, seconds, score, points, or the ISO 4217 currency (none if not given)';
COMMENT ON COLUMN kpis.value IS 'the measure; null for a ratio without a denominator';
COMMENT ON COLUMN kpis.low IS '95% interval, low end: Wilson''s of shares, of means by their standard error, of medians by ranks';
COMMENT ON COLUMN kpis.high IS '95% interval, high end';
COMMENT ON COLUMN kpis.numerator IS 'what a share divides';
COMMENT ON COLUMN kpis.denominator IS 'what a ratio is divided by (kpi_definitions)';
