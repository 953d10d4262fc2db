-- grain: slice x measure x unit, over the whole time
SELECT segment, segment_value, measure, unit, value, low, high, denominator
FROM kpis
WHERE period = 'all' AND value IS NOT NULL
ORDER BY segment <> 'all', segment, segment_value, measure, abs(value) DESC, unit;
