-- Through which channel do the journeys begin that convert best, and how sure is that?
-- grain: entry channel; open journeys are in neither numerator nor denominator
SELECT
    segment_value AS entry_channel,
    denominator AS ended_journeys,
    value AS conversion_rate,
    low,
    high
FROM kpis
WHERE measure = 'conversion_rate' AND period = 'all' AND segment = 'entry_channel'
ORDER BY conversion_rate DESC NULLS LAST, entry_channel;
