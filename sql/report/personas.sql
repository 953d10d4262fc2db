-- grain: persona, largest first
SELECT *
FROM personas
ORDER BY share DESC, persona_id;
