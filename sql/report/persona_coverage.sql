-- grain: one row, the journeys that personas were sought in
SELECT
    count(*) AS journeys,
    count(*) FILTER (persona_id <> 'undetermined') AS assigned,
    count(*) FILTER (persona_id <> 'undetermined') / nullif(count(*), 0) AS assigned_share
FROM journey_personas;
