-- grain: namespace x rule that tied its identifiers, commonest first
SELECT namespace, rule, count(*) AS identifiers, sum(events)::BIGINT AS events
FROM identities
GROUP BY ALL
ORDER BY identifiers DESC, namespace, rule;
