-- Which kinds of journeys are there?
-- grain: persona
SELECT persona_id, name, customers, journeys, share, share_low, share_high, conversion_rate, grade, portrait
FROM personas
ORDER BY place;
