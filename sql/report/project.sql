-- grain: one row, the project as a whole
SELECT
    settings.watermark,
    settings.journey_gap_s,
    (SELECT min(started_at) FROM journeys) AS first_journey,
    (SELECT count(*) FROM journeys) AS journeys,
    (SELECT count(DISTINCT customer_id) FROM journeys) AS customers,
    (SELECT count(*) > 0 FROM accounts) AS accounts,
    (SELECT count(*) FROM journeys WHERE outcome = 'open') AS open_journeys,
    (SELECT max(started_at) FROM journeys) AS last_journey,
    (SELECT count(*) FROM touchpoints) AS touchpoints,
    (SELECT count(DISTINCT touchpoint) FROM map_cells) AS kinds,
    -- null where there are several: amounts are then sums over all of them
    (
        SELECT CASE WHEN count(*) = 1 THEN any_value(unit) END
        FROM kpis
        WHERE measure = 'revenue' AND period = 'all' AND segment = 'all'
    ) AS currency,
    (SELECT count(*) FROM ingest_ledger) AS files,
    (SELECT count(DISTINCT source) FROM ingest_ledger) AS sources
FROM settings;
