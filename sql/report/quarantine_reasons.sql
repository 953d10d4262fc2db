-- grain: source x reason, commonest first
SELECT source, reason, count(*) AS records
FROM quarantine
GROUP BY ALL
ORDER BY records DESC, source, reason
LIMIT 20;
