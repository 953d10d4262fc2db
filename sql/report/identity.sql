-- grain: figure of who is who, in reading order
WITH sizes AS (
    SELECT customer_id, count(*) AS identifiers
    FROM identities
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id
),

figures AS (
    SELECT 1 AS place, 'identifiers' AS figure, count(*) AS value FROM identities
    UNION ALL
    SELECT 2, 'customers with identifiers of their own', count(*) FROM sizes
    UNION ALL
    SELECT 3, 'customers known from shared devices only', count(DISTINCT customer_id)
    FROM identity_intervals
    ANTI JOIN sizes USING (customer_id)
    UNION ALL
    SELECT 4, 'customers with several identifiers', count_if(identifiers > 1) FROM sizes
    UNION ALL
    SELECT 5, 'most identifiers of one customer', coalesce(max(identifiers), 0) FROM sizes
    UNION ALL
    SELECT 6, 'shared devices', count(DISTINCT (namespace, value)) FROM identity_intervals
    UNION ALL
    SELECT 7, 'pairs and identifiers that were not united', count(*) FROM identity_refusals
)

SELECT figure, value
FROM figures
ORDER BY place;
