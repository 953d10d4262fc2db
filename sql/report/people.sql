-- grain: customer, or account, that the page can show alone (drawn_customers)
SELECT
    customer_id,
    journeys,
    converted_journeys,
    touchpoints,
    first_seen,
    last_seen,
    lifecycle,
    dim_persona.name AS persona
FROM dim_customer
SEMI JOIN drawn_customers USING (customer_id)
JOIN dim_persona USING (persona_id)
ORDER BY journeys DESC, customer_id;
