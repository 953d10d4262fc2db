-- grain: source x channel x event_type that no rule matched, commonest first
SELECT source, channel, event_type, events, sum(events) OVER ()::BIGINT AS total, count(*) OVER () AS kinds
FROM unmatched_events
ORDER BY events DESC, source, channel, event_type
LIMIT 20;
