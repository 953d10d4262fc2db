-- grain: period x measure x unit, over all journeys
-- invariants: only periods that were over at the watermark; a conversion rate needs a journey gap more, because
--   journeys convert at once but lapse only when they have been quiet for so long
WITH lengths (period, length) AS (VALUES ('month', INTERVAL 1 MONTH), ('week', INTERVAL 7 DAY))

SELECT kpis.period, kpis.period_start, kpis.measure, kpis.unit, kpis.value
FROM kpis
JOIN lengths USING (period)
CROSS JOIN settings
WHERE
    kpis.segment = 'all'
    AND kpis.value IS NOT NULL
    AND settings.watermark >= kpis.period_start + lengths.length
        + CASE WHEN kpis.measure = 'conversion_rate'
            THEN to_seconds(settings.journey_gap_s) ELSE INTERVAL 0 SECOND END
ORDER BY ALL;
