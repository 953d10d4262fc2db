-- grain: measure of the KPIs
SELECT *
FROM kpi_definitions
ORDER BY measure;
