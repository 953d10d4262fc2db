-- promise: Journeys with a persona are journeys.
-- grain: journey
SELECT journey_id, format('journey {} has a persona, but is no journey', journey_id) AS problem
FROM journey_personas
ANTI JOIN journeys USING (journey_id);
