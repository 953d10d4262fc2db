-- grain: customer of drawn_customers x stage x channel x touchpoint
-- invariants: touchpoints of a customer add up to people.touchpoints
SELECT
    customer_id,
    stage,
    channel,
    touchpoint,
    count(*) AS touchpoints,
    count(DISTINCT journey_id) AS journeys,
    count(*) FILTER (isfinite(csat)) AS csat_answers,
    sum(round(csat * 1e9)::BIGINT) FILTER (isfinite(csat)) / 1e9 / nullif(csat_answers, 0) AS csat
FROM touchpoints
SEMI JOIN drawn_customers USING (customer_id)
GROUP BY ALL
ORDER BY customer_id, touchpoints DESC, stage, channel, touchpoint;
