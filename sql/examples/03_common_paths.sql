-- Which ways through the stages do people take most, and how do they end?
-- grain: path of stages
SELECT
    path,
    count(*) AS journeys,
    count_if(outcome = 'converted') AS converted,
    count_if(outcome = 'lapsed') AS lapsed,
    count_if(outcome = 'open') AS open
FROM journeys
GROUP BY path
ORDER BY journeys DESC, path
LIMIT 20;
