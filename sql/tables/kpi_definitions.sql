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
        'Distinct customers with a session that began in the period.', NULL),
    ('customers_new', 'New customers', 'count',
        'Customers whose first session began in the period.', NULL),
    ('customers_current', 'Current customers', 'count',
        'Customers with a session in the period and in the one before.', NULL),
    ('customers_returning', 'Returning customers', 'count',
        'Customers with a session in the period, none in the one before, and one in the one before that.', NULL),
    ('customers_resurrected', 'Resurrected customers', 'count',
        'Customers with a session in the period after two or more periods without one.', NULL),
    ('customers_at_risk', 'Customers at risk', 'count',
        'Customers without a session in the period who had one in the one before.', NULL),
    ('customers_dormant', 'Dormant customers', 'count',
        'Customers seen before who had no session in the period or the one before.', NULL),
    ('retention_rate', 'Retention rate', 'share',
        'Of the customers with a session in the period before, the share with one in this period; '
        || 'only periods that are over at the watermark.',
        'customers with a session in the period before'),
    ('repeat_rate', 'Repeat rate', 'share',
        'Of the customers who ordered in the period, the share for whom one of these orders is not their first ever.',
        'customers with an order in the period'),
    ('time_to_convert', 'Time to convert', 'seconds',
        'Median time from the first touchpoint to the first conversion, of the journeys that converted in the period; '
        || 'those that converted at once count with no time (converted_at_once, time_to_convert_in_steps).',
        'journeys whose first conversion falls into the period'),
    ('converted_at_once', 'Converted at once', 'share',
        'Of the journeys that converted in the period, the share whose first touchpoint was the conversion.',
        'journeys whose first conversion falls into the period'),
    ('time_to_convert_in_steps', 'Time to convert in several steps', 'seconds',
        'Median time from the first touchpoint to the first conversion, of the journeys that converted in the period and '
        || 'not at once.',
        'journeys whose first conversion falls into the period and is not their first touchpoint'),
    ('csat', 'Satisfaction', 'score',
        'Mean of the satisfaction answers of the period, 0 to 1; segments stage and channel: where they were given.',
        'answers'),
    ('nps', 'Net promoter score', 'score',
        'Share of promoters (9 and 10) minus share of detractors (0 to 6) among the answers of the period, times 100; '
        || 'segments stage and channel: where they were given.',
        'answers'),
    ('first_contact_resolution', 'First-contact resolution', 'share',
        'Of the contacts (graph.contacts) in the period that no other contact of the customer preceded within 7 days, '
        || 'the share that none followed within 7 days; segments stage and channel: where the contact was.',
        'such contacts that are at least 7 days old at the watermark')
) AS t (measure, label, kind, definition, denominator);

COMMENT ON TABLE kpi_definitions IS 'one row per measure of kpis: what it counts';
COMMENT ON COLUMN kpi_definitions.measure IS 'measure';
COMMENT ON COLUMN kpi_definitions.label IS 'its name for readers';
COMMENT ON COLUMN kpi_definitions.kind IS 'count, share (0..1), money, seconds or score';
COMMENT ON COLUMN kpi_definitions.definition IS 'what it counts';
COMMENT ON COLUMN kpi_definitions.denominator IS 'what a ratio is divided by; null for others';
