-- grain: customer, at most 100
-- A sample to look at, the same from run to run as long as the same people are there: of the customers with several journeys,
-- then of the others, those whose ids have the smallest hashes. With `min_group` it is empty: whole lives would be told.
-- example: SELECT touchpoints.* FROM touchpoints SEMI JOIN drawn_customers USING (customer_id) ORDER BY customer_id, event_time
CREATE VIEW drawn_customers AS
SELECT customer_id
FROM journeys
WHERE (SELECT min_group FROM settings) = 0
GROUP BY customer_id
ORDER BY count(*) = 1, md5(customer_id)
LIMIT 100;

COMMENT ON VIEW drawn_customers IS
    'one row per customer of a sample of at most 100, those with several journeys first; key: customer_id';
COMMENT ON COLUMN drawn_customers.customer_id IS 'resolved customer, or account where accounts are the subject';
