-- grain: slice x measure x unit, over the whole time; the retention rate, which compares two periods, of the last month
--   that was over at the watermark, or of the last week if no two months were
WITH retained AS (
    FROM kpis
    WHERE measure = 'retention_rate' AND value IS NOT NULL
    QUALIFY row(period, period_start) = first_value(row(period, period_start)) OVER (ORDER BY period, period_start DESC)
)

SELECT segment, segment_value, measure, unit, period, period_start, value, low, high, denominator
FROM (FROM kpis WHERE period = 'all' AND value IS NOT NULL UNION ALL FROM retained)
ORDER BY segment <> 'all', segment, segment_value, measure, abs(value) DESC, unit;
