-- grain: check, broken ones first
SELECT name, promise, passed, violations, examples
FROM data_quality
ORDER BY passed, name;
