-- grain: persona, and what stands for having none
SELECT persona_id, name
FROM dim_persona
ORDER BY place NULLS LAST, persona_id DESC;
