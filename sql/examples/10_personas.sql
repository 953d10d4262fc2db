-- How do the personas differ in size, conversion, length and value?
-- grain: persona, and the journeys that fit none
SELECT
    coalesce(personas.name, journey_personas.persona_id) AS persona,
    count(*) AS journeys,
    count_if(outcome = 'converted') / nullif(count_if(outcome <> 'open'), 0) AS conversion_rate,
    median(touchpoints) AS median_touchpoints,
    round(sum(journeys.value)::DOUBLE / count(*), 2) AS value_per_journey
FROM journey_personas
JOIN journeys USING (journey_id)
LEFT JOIN personas USING (persona_id)
GROUP BY ALL
ORDER BY journeys DESC, persona;
