-- promise: Every sentence of a portrait stands in persona_features, beside its number.
-- grain: persona
WITH told AS (
    SELECT personas.persona_id, portrait, list(sentence ORDER BY length(sentence) DESC) AS sentences
    FROM personas
    JOIN persona_features USING (persona_id)
    GROUP BY ALL
),

unproved AS (
    SELECT
        persona_id,
        trim(list_reduce(
            list_prepend(portrait, sentences), lambda text, said: replace(text, said, '')
        )) AS rest
    FROM told
)

SELECT format('persona {} says what is no row of persona_features: {}', persona_id, rest) AS problem
FROM unproved
WHERE rest <> '';
