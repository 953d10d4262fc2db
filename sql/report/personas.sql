-- grain: persona, largest first
SELECT *
FROM personas
ORDER BY place;
