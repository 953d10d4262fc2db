-- grain: customer
-- invariants: every customer_id of a fact is here; journeys and touchpoints add up to the rows of those tables
-- The lifecycle is that of the 30 days before the watermark; sql/macros/lifecycle.sql defines its states.
-- example: SELECT lifecycle, count(*) AS customers FROM dim_customer GROUP BY ALL ORDER BY customers DESC
CREATE VIEW dim_customer AS
WITH summed AS (
    SELECT
        customer_id,
        min(started_at) AS first_seen,
        max(ended_at) AS last_seen,
        count(*) AS journeys,
        count_if(converted) AS converted_journeys,
        min(converted_at) AS first_converted,
        sum(touchpoints)::BIGINT AS touchpoints
    FROM journeys
    GROUP BY customer_id
),

-- Spans of 30 days, counted back from the watermark: the last one is 0 and complete.
spans AS (
    SELECT customer_id, min(span) AS first_active, max(span) AS last_active, max(span, 2)[2] AS before_last
    FROM (
        SELECT DISTINCT customer_id, least(0, -(epoch_us(watermark - started_at) // 2592000000000)) AS span
        FROM sessions
        CROSS JOIN settings
    )
    GROUP BY customer_id
)

SELECT
    customer_id,
    first_seen,
    first_seen::DATE AS first_date,
    last_seen,
    summed.journeys,
    converted_journeys,
    first_converted,
    touchpoints,
    coalesce(customer_personas.persona_id, 'none') AS persona_id,
    lifecycle(0, first_active, last_active, before_last) AS lifecycle
FROM summed
JOIN spans USING (customer_id)
LEFT JOIN customer_personas USING (customer_id);

COMMENT ON VIEW dim_customer IS 'one row per customer; key: customer_id';
COMMENT ON COLUMN dim_customer.customer_id IS 'resolved customer, or account where accounts are the subject';
COMMENT ON COLUMN dim_customer.first_seen IS 'time of the first touchpoint, UTC';
COMMENT ON COLUMN dim_customer.first_date IS 'its day (dim_date)';
COMMENT ON COLUMN dim_customer.last_seen IS 'time of the last touchpoint, UTC';
COMMENT ON COLUMN dim_customer.journeys IS 'number of journeys';
COMMENT ON COLUMN dim_customer.converted_journeys IS 'journeys that converted';
COMMENT ON COLUMN dim_customer.first_converted IS 'time of the first conversion, UTC; null for none';
COMMENT ON COLUMN dim_customer.touchpoints IS 'number of touchpoints';
COMMENT ON COLUMN dim_customer.persona_id IS 'persona of the customer, all journeys pooled (dim_persona)';
COMMENT ON COLUMN dim_customer.lifecycle IS
    'new, current, returning, resurrected, at_risk or dormant in the 30 days before the watermark';
