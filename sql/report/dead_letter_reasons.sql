-- grain: source x reason, commonest first
SELECT source, reason, count(*) AS records, min(message) AS example
FROM dead_letters
GROUP BY ALL
ORDER BY records DESC, source, reason
LIMIT 20;
