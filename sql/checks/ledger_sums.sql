-- promise: Every record read is an event, a duplicate, a dead letter, quarantined, withheld or erased.
-- grain: file of a source
SELECT
    source,
    path,
    format(
        'source {}, file {}: {:,} records read, but {:,} accounted for',
        source, path, records_read, accounted
    ) AS problem
FROM (
    SELECT *, events + duplicates + dead_letters + quarantined + withheld + coalesce(erased, 0) AS accounted
    FROM ingest_ledger
)
WHERE records_read IS DISTINCT FROM accounted;
