-- grain: finding (kind, node, target, segment) of the version before (database `before`), of this one, or of both
SELECT
    CASE WHEN old.rank IS NULL THEN 'new' WHEN new.rank IS NULL THEN 'gone' ELSE 'still' END AS change,
    new.rank,
    old.rank AS rank_before,
    coalesce(new.unit, old.unit) AS unit,
    old.measured AS measured_before,
    new.measured AS measured_now,
    coalesce(new.sentence, old.sentence) AS sentence
FROM pain_points AS new
FULL JOIN before.pain_points AS old
    ON new.kind = old.kind
    AND new.level = old.level
    AND new.node = old.node
    AND new.target IS NOT DISTINCT FROM old.target
    AND new.segment = old.segment
    AND new.segment_value = old.segment_value
    AND new.begins IS NOT DISTINCT FROM old.begins
ORDER BY new.rank IS NULL, new.rank, old.rank;
