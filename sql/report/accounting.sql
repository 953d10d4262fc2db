-- grain: source, and the sum of all as the last row
WITH read AS (
    SELECT
        source,
        count(*) AS files,
        sum(records_read) AS records_read,
        sum(events) AS events,
        sum(duplicates) AS duplicates,
        sum(dead_letters) AS dead_letters,
        sum(quarantined) AS quarantined,
        sum(withheld) AS withheld,
        sum(erased) AS erased
    FROM ingest_ledger
    GROUP BY source
)

SELECT
    read.source,
    grouping(read.source) = 1 AS is_total,
    sum(files)::BIGINT AS files,
    sum(records_read)::BIGINT AS records_read,
    sum(read.events)::BIGINT AS events,
    sum(duplicates)::BIGINT AS duplicates,
    sum(dead_letters)::BIGINT AS dead_letters,
    sum(quarantined)::BIGINT AS quarantined,
    sum(withheld)::BIGINT AS withheld,
    coalesce(sum(erased), 0)::BIGINT AS erased,
    sum(told.touchpoints)::BIGINT AS touchpoints,
    sum(told.folded_lines)::BIGINT AS folded_lines,
    sum(told.ignored)::BIGINT AS ignored,
    sum(told.unidentified)::BIGINT AS unidentified,
    coalesce(sum(told.withdrawn), 0)::BIGINT AS withdrawn
FROM read
LEFT JOIN touchpoint_accounting AS told USING (source)
GROUP BY ROLLUP (read.source)
HAVING count(*) > 0
ORDER BY is_total, read.source;
