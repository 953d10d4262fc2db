-- How long does it take from the first touchpoint to the conversion, by entry channel?
-- grain: entry channel
SELECT
    entry_channel,
    count(*) AS converted_journeys,
    round(median(epoch(converted_at - started_at)) / 3600, 1) AS median_hours,
    round(quantile_cont(epoch(converted_at - started_at), 0.9) / 3600, 1) AS p90_hours
FROM journeys
WHERE converted
GROUP BY entry_channel
ORDER BY converted_journeys DESC, entry_channel;
