-- promise: The ledger's numbers of events, dead letters and quarantined records are the rows of those tables,
--   by source and file.
-- grain: source x file content x table
WITH ledger AS (
    UNPIVOT (
        SELECT
            source,
            file_id,
            sum(events)::BIGINT AS events,
            sum(dead_letters)::BIGINT AS dead_letters,
            sum(quarantined)::BIGINT AS quarantine
        FROM ingest_ledger
        GROUP BY ALL
    )
    ON events, dead_letters, quarantine
    INTO NAME table_name VALUE told
),

held AS (
    SELECT source, file_id, 'events' AS table_name, count(*) AS found FROM events GROUP BY ALL
    UNION ALL
    SELECT source, file_id, 'dead_letters', count(*) FROM dead_letters GROUP BY ALL
    UNION ALL
    SELECT source, file_id, 'quarantine', count(*) FROM quarantine GROUP BY ALL
),

compared AS (
    SELECT source, file_id, table_name, coalesce(told, 0) AS told, coalesce(found, 0) AS found
    FROM ledger
    FULL JOIN held USING (source, file_id, table_name)
)

SELECT
    source,
    file_id,
    table_name,
    format(
        'source {}, file {}: the ledger says {:,}, {} holds {:,}', source, file_id, told, table_name, found
    ) AS problem
FROM compared
WHERE told <> found;
