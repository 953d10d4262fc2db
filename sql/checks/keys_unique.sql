-- promise: Keys are unique in every table.
-- grain: key of a table
-- Equal keys have equal hashes: only keys whose hash repeats are compared in full.
WITH repeated AS (
    SELECT hash({key}) AS key_hash
    FROM {table}
    GROUP BY ALL
    HAVING count(*) > 1
)

SELECT
    format('{{}} rows of {table} have the key {{}}', count(*), row({key})::VARCHAR) AS problem
FROM {table}
WHERE hash({key}) IN (SELECT key_hash FROM repeated)
GROUP BY {key}
HAVING count(*) > 1;
