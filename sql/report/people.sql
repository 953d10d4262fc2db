-- grain: customer, or account, that the page can show alone (drawn_customers)
SELECT
    customer_id,
    journeys,
    converted_journeys,
    touchpoints,
    first_seen,
    last_seen,
    lifecycle,
    coalesce(dim_persona.name, 'none') AS persona
FROM dim_customer
SEMI JOIN drawn_customers USING (customer_id)
LEFT JOIN dim_persona USING (persona_id)
ORDER BY journeys DESC, customer_id;
