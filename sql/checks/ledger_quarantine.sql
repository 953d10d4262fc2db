-- promise: The ledger's number of quarantined records is the number of rows in quarantine, by
--   source and file.
-- grain: source x file content
WITH ledger AS (
    SELECT source, file_id, sum(quarantined) AS told
    FROM ingest_ledger
    GROUP BY ALL
),

held AS (
    SELECT source, file_id, count(*) AS found
    FROM quarantine
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
        'source {}, file {}: the ledger says {:,}, quarantine holds {:,}', source, file_id, told, found
    ) AS problem
FROM compared
WHERE told <> found;
