-- grain: check, or broken expectation; broken ones first
SELECT name, promise, passed, violations, examples
FROM data_quality
WHERE kind = 'check' OR NOT passed
ORDER BY passed, name;
