-- grain: finding, firmest and largest first
SELECT *
FROM pain_points
ORDER BY rank;
