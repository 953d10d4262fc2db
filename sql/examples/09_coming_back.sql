-- What share of customers who converted once come back for another journey, and convert again?
-- grain: one row; the first conversion lies at least 90 days before the watermark
WITH firsts AS (
    SELECT customer_id, min(converted_at) AS first_conversion
    FROM journeys
    WHERE converted
    GROUP BY customer_id
    HAVING first_conversion <= (SELECT watermark - INTERVAL 90 DAY FROM settings)
),

followed AS (
    SELECT
        firsts.customer_id,
        count(journeys.journey_id) > 0 AS came_back,
        coalesce(bool_or(journeys.converted), false) AS converted_again
    FROM firsts
    LEFT JOIN journeys
        ON journeys.customer_id = firsts.customer_id
        AND journeys.started_at > firsts.first_conversion
        AND journeys.started_at <= firsts.first_conversion + INTERVAL 90 DAY
    GROUP BY firsts.customer_id
)

SELECT
    count(*) AS customers,
    count_if(came_back) / count(*) AS share_back_in_90_days,
    wilson_low(count_if(came_back), count(*)) AS share_back_low,
    wilson_high(count_if(came_back), count(*)) AS share_back_high,
    count_if(converted_again) / count(*) AS share_converted_again
FROM followed;
