-- What are the KPIs of the whole time?
-- grain: measure (x currency for money)
SELECT measure, label, kpis.unit, value, low, high, numerator, kpis.denominator, definition
FROM kpis
JOIN kpi_definitions USING (measure)
WHERE period = 'all' AND segment = 'all' AND value IS NOT NULL
ORDER BY measure, kpis.unit;
