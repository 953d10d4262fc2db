-- grain: measure of the table kpis
CREATE TABLE kpi_definitions AS
SELECT *
FROM (VALUES
    ('journeys_started', 'Journeys started', 'count',
        'Journeys whose first touchpoint falls into the period.', NULL),
    ('conversion_rate', 'Conversion rate', 'share',
        'Of the journeys that started in the period and have ended, the share that converted; '
        || 'too high in the last periods, whose other journeys have not had the time to lapse: '
        || 'compare periods by mature_conversion_rate.',
        'converted + lapsed journeys; open ones are left out'),
    ('mature_conversion_rate', 'Conversion rate of mature journeys', 'share',
        'Of the journeys that started in the period, and at least one journey gap before the watermark, '
        || 'the share that converted within one journey gap of their start; comparable from period to period.',
        'journeys old enough, open ones included; null if there is none'),
    ('orders', 'Orders', 'count',
        'Touchpoints in the period that are conversions.', NULL),
    ('revenue', 'Revenue', 'money',
        'Value of the conversions in the period, by currency; refunds are not subtracted.', NULL),
    ('average_order_value', 'Average order value', 'money',
        'Revenue divided by the conversions that carry a value, by currency.',
        'conversions with a value in that currency'),
    ('sessions', 'Sessions', 'count',
        'Sessions that began in the period.', NULL),
    ('customers', 'Customers', 'count',
        'Distinct customers with a session that began in the period.', NULL)
) AS t (measure, label, kind, definition, denominator);

COMMENT ON TABLE kpi_definitions IS 'one row per measure of kpis: what it counts';
COMMENT ON COLUMN kpi_definitions.measure IS 'measure';
COMMENT ON COLUMN kpi_definitions.label IS 'its name for readers';
COMMENT ON COLUMN kpi_definitions.kind IS 'count, share (0..1) or money';
COMMENT ON COLUMN kpi_definitions.definition IS 'what it counts';
COMMENT ON COLUMN kpi_definitions.denominator IS 'what a ratio is divided by; null for others';
