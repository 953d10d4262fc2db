-- grain: period x segment x measure; rows of `kpis` that tell what customers say, and how often they must ask
-- invariants: 0 <= csat <= 1; -100 <= nps <= 100; low <= value <= high; answers of the stages add up to those of all
-- Beside the segments of journeys, 'stage' and 'channel' are those of the touchpoint itself.
-- With `min_group` only those of all journeys over the whole time: the sums of others would tell small cells.
INSERT INTO kpis BY NAME
-- Answers are between 0 and 1; summed in billionths: exact, so that no order of rows matters.
WITH answered AS (
    SELECT journey_id, stage, channel, event_time, 'csat' AS measure, csat AS answer
    FROM touchpoints
    WHERE isfinite(csat)
    UNION ALL
    SELECT journey_id, stage, channel, event_time, 'nps', CASE WHEN nps >= 9 THEN 1 WHEN nps <= 6 THEN 0 ELSE 0.5 END
    FROM touchpoints
    WHERE isfinite(nps)
),

-- A contact begins a matter unless the customer had another in the 7 days before; it settles it if none follows in 7 days.
contacts AS (
    SELECT
        journey_id,
        stage,
        channel,
        event_time,
        lag(event_time) OVER of_customer AS before,
        lead(event_time) OVER of_customer AS after
    FROM touchpoints
    WHERE list_contains((SELECT contacts FROM lake.settings), touchpoint)
    WINDOW of_customer AS (PARTITION BY customer_id ORDER BY event_time, source, event_id)
),

matters AS (
    SELECT
        contacts.* EXCLUDE (before, after),
        'first_contact_resolution' AS measure,
        (after IS NULL OR after > event_time + INTERVAL 7 DAY)::INTEGER AS answer
    FROM contacts
    CROSS JOIN lake.settings
    WHERE (before IS NULL OR event_time > before + INTERVAL 7 DAY) AND event_time + INTERVAL 7 DAY <= watermark
),

told AS (
    SELECT journey_id, stage, channel, event_time, measure, answer::DOUBLE AS answer FROM answered
    UNION ALL
    SELECT journey_id, stage, channel, event_time, measure, answer FROM matters
),

sliced AS (
    SELECT segment, segment_value, event_time, measure, answer
    FROM told
    JOIN lake.journey_strata USING (journey_id)
    JOIN lake.told_strata USING (stratum)
    JOIN lake.slices USING (slice)
    UNION ALL
    SELECT 'stage', stage, event_time, measure, answer FROM told WHERE (SELECT min_group FROM lake.settings) = 0
    UNION ALL
    SELECT 'channel', channel, event_time, measure, answer FROM told WHERE (SELECT min_group FROM lake.settings) = 0
),

counted AS (
    SELECT
        period,
        period_start(period, first_day, event_time) AS start,
        segment,
        segment_value,
        measure,
        count(*) AS n,
        sum(round(answer * 1e9)::BIGINT) / 1e9 AS total,
        sum(round(answer * answer * 1e9)::BIGINT) / 1e9 AS squares
    FROM sliced
    CROSS JOIN lake.told_periods
    GROUP BY ALL
)

SELECT
    period,
    start AS period_start,
    segment,
    segment_value,
    measure,
    CASE measure WHEN 'first_contact_resolution' THEN 'share' WHEN 'nps' THEN 'points' ELSE 'score' END AS unit,
    if(measure = 'nps', 200 * (total / n) - 100, total / n) AS value,
    if(measure = 'nps', 200 * mean_low(n, total, squares) - 100, mean_low(n, total, squares)) AS low,
    if(measure = 'nps', 200 * mean_high(n, total, squares) - 100, mean_high(n, total, squares)) AS high,
    if(measure = 'first_contact_resolution', total, NULL)::BIGINT AS numerator,
    n AS denominator
FROM counted;
