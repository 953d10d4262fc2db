-- grain: slice of the journeys that the page can show: of each segment the 24 largest, of periods the last 24
SELECT segment, segment_value, journeys, place, places
FROM slices
WHERE CASE WHEN segment IN ('week', 'month', 'quarter', 'year') THEN place > places - 24 ELSE place <= 24 END
ORDER BY segment <> 'all', segment, place;
