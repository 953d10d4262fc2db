-- promise: Every event is a line of a touchpoint, ignored by a rule, of nobody known, or
--   of somebody who had withdrawn consent, by source.
-- grain: source
WITH counted_events AS (
    SELECT source, count(*) AS events
    FROM events
    GROUP BY source
),

counted_touchpoints AS (
    SELECT source, count(*) AS touchpoints, sum(lines) AS lines
    FROM touchpoints
    GROUP BY source
),

compared AS (
    SELECT
        source,
        coalesce(counted_events.events, 0) AS events,
        coalesce(told.events, 0) AS events_told,
        coalesce(counted_touchpoints.touchpoints, 0) AS touchpoints,
        coalesce(told.touchpoints, 0) AS touchpoints_told,
        coalesce(lines, 0)::BIGINT AS lines,
        coalesce(folded_lines, 0) AS folded_lines,
        coalesce(ignored, 0) AS ignored,
        coalesce(unidentified, 0) AS unidentified,
        coalesce(withdrawn, 0) AS withdrawn
    FROM counted_events
    FULL JOIN touchpoint_accounting AS told USING (source)
    FULL JOIN counted_touchpoints USING (source)
)

SELECT
    source,
    format(
        'source {}: {:,} events ({:,} accounted); {:,} lines in {:,} touchpoints ({:,} accounted, '
        '{:,} lines folded) + {:,} ignored + {:,} unidentified + {:,} withdrawn',
        source, events, events_told, lines, touchpoints, touchpoints_told, folded_lines, ignored,
        unidentified, withdrawn
    ) AS problem
FROM compared
WHERE
    events <> events_told
    OR touchpoints <> touchpoints_told
    OR lines <> touchpoints + folded_lines
    OR events <> lines + ignored + unidentified + withdrawn;
