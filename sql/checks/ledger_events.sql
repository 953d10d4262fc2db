-- promise: The ledger's number of events is the number of rows in events, by
--   source and file.
-- grain: source x file content
WITH ledger AS (
    SELECT source, file_id, sum(events) AS told
    FROM ingest_ledger
    GROUP BY ALL
),

held AS (
    SELECT source, file_id, count(*) AS found
    FROM events
    GROUP BY ALL
),

compared AS (
    SELECT source, file_id, coalesce(told, 0)::BIGINT AS told, coalesce(found, 0) AS found
    FROM ledger
    FULL JOIN held USING (source, file_id)
)

SELECT
    source,
    file_id,
    format(
        'source {}, file {}: the ledger says {:,}, events holds {:,}', source, file_id, told, found
    ) AS problem
FROM compared
WHERE told <> found;
