-- grain: persona x step of its medoid journey, the first forty
SELECT personas.persona_id, step, touchpoint, stage, channel, dwell_s
FROM personas
JOIN journey_steps ON journey_steps.journey_id = personas.medoid_journey_id
WHERE step <= 40
ORDER BY personas.persona_id, step;
