-- grain: measure x unit, over the whole time and all journeys
SELECT
    kpi_definitions.measure,
    kpi_definitions.label,
    kpi_definitions.kind,
    kpi_definitions.definition,
    kpi_definitions.denominator AS denominator_means,
    kpis.unit,
    kpis.value,
    kpis.low,
    kpis.high,
    kpis.denominator
FROM kpis
JOIN kpi_definitions USING (measure)
WHERE kpis.period = 'all' AND kpis.segment = 'all' AND kpis.value IS NOT NULL
ORDER BY kpi_definitions.measure, abs(kpis.value) DESC, kpis.unit;
