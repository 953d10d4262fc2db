-- At which touchpoints are people least satisfied, and on how many answers does that rest?
-- grain: touchpoint
SELECT node AS touchpoint, csat, csat_low, csat_high, csat_answers
FROM stages
WHERE level = 'touchpoint' AND segment = 'all' AND csat_answers > 0
ORDER BY csat, touchpoint
LIMIT 10;
