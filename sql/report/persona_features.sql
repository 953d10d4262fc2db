-- grain: persona x feature, the six most distinctive that are commoner than elsewhere
SELECT persona_id, feature, share, share_others, log_odds_z
FROM persona_features
WHERE log_odds_z > 0
QUALIFY row_number() OVER (PARTITION BY persona_id ORDER BY rank) <= 6
ORDER BY persona_id, rank;
