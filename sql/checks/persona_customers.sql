-- promise: Every persona has as many customers as are assigned to it, each judged by all of its journeys.
-- grain: persona, or customer
WITH assigned AS (
    SELECT persona_id, count(*) AS customers
    FROM customer_personas
    WHERE persona_id <> 'undetermined'
    GROUP BY persona_id
),

counted AS (
    SELECT customer_id, count(*) AS journeys FROM journeys GROUP BY customer_id
)

SELECT
    format(
        'persona {}: {:,} customers told, {:,} assigned',
        persona_id, coalesce(personas.customers, 0), coalesce(assigned.customers, 0)
    ) AS problem
FROM personas
FULL JOIN assigned USING (persona_id)
WHERE coalesce(personas.customers, 0) <> coalesce(assigned.customers, 0)
UNION ALL
SELECT
    format(
        'customer {}: {:,} journeys behind its persona, {:,} in journeys',
        customer_id, coalesce(customer_personas.journeys, 0), coalesce(counted.journeys, 0)
    )
FROM customer_personas
FULL JOIN counted USING (customer_id)
WHERE customer_personas.journeys IS DISTINCT FROM counted.journeys
    AND EXISTS (FROM customer_personas);
