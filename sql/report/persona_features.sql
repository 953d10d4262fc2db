-- grain: persona x feature, the six most distinctive of what journeys hold
SELECT persona_id, kind, feature, unit, value, value_others
FROM persona_features
WHERE kind IN ('touchpoint', 'move', 'channel', 'stage', 'pace')
QUALIFY row_number() OVER (PARTITION BY persona_id ORDER BY rank) <= 6
ORDER BY persona_id, rank;
