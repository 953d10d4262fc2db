-- promise: Every persona has as many journeys as are assigned to it, and its medoid, if it has one, is one of them.
-- grain: persona
WITH assigned AS (
    SELECT persona_id, count(*) AS journeys
    FROM journey_personas
    WHERE persona_id <> 'undetermined'
    GROUP BY persona_id
),

medoids AS (
    SELECT personas.persona_id, journey_personas.persona_id AS persona_of_medoid
    FROM personas
    LEFT JOIN journey_personas ON journey_personas.journey_id = personas.medoid_journey_id
)

SELECT
    persona_id,
    format(
        'persona {}: {:,} journeys told, {:,} assigned; its medoid belongs to {}',
        persona_id,
        coalesce(personas.journeys, 0),
        coalesce(assigned.journeys, 0),
        coalesce(persona_of_medoid, 'none')
    ) AS problem
FROM personas
FULL JOIN assigned USING (persona_id)
LEFT JOIN medoids USING (persona_id)
WHERE
    personas.journeys IS DISTINCT FROM assigned.journeys
    OR (personas.medoid_journey_id IS NOT NULL AND persona_of_medoid IS DISTINCT FROM persona_id);
