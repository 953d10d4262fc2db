-- grain: change of the personas that the newest run saw; none in the first run that found any
SELECT change, persona_id, other_id, distance, share_before, share_after, sentence
FROM persona_changes
WHERE
    run_id = (SELECT max(run_id) FROM runs)
    AND run_id > (SELECT min(run_id) FROM persona_changes)
ORDER BY persona_id, change, other_id;
