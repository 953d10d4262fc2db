-- How do orders, revenue and the average order develop from month to month?
-- grain: month x currency
WITH money AS (
    SELECT period_start AS month, unit AS currency, measure, value
    FROM kpis
    WHERE period = 'month' AND segment = 'all' AND measure IN ('revenue', 'average_order_value')
),

orders AS (
    SELECT period_start AS month, value AS orders
    FROM kpis
    WHERE period = 'month' AND segment = 'all' AND measure = 'orders'
)

SELECT
    month,
    currency,
    any_value(orders)::BIGINT AS orders_in_all_currencies,
    max(value) FILTER (measure = 'revenue') AS revenue,
    max(value) FILTER (measure = 'average_order_value') AS average_order_value
FROM money
JOIN orders USING (month)
GROUP BY month, currency
ORDER BY month, currency;
