-- grain: table or suite, with its expectations of each column; those with broken ones first
SELECT table_name, count(*) AS expected, count_if(NOT passed) AS broken
FROM data_quality
WHERE kind = 'expectation'
GROUP BY table_name
ORDER BY broken > 0 DESC, table_name;
