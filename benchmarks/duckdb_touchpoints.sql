-- Touchpoints: order, sessions (a gap of exactly 30 minutes stays together).
COPY (
  WITH ordered AS (
    SELECT *,
      row_number() OVER path AS place,
      coalesce(event_time - lag(event_time) OVER path > INTERVAL 30 minutes, true) AS opens
    FROM ruled
    WINDOW path AS (PARTITION BY customer ORDER BY event_time, event_id)
  ),
  cut AS (
    SELECT * EXCLUDE (opens), max(CASE WHEN opens THEN place END) OVER path AS first_place
    FROM ordered
    WINDOW path AS (PARTITION BY customer ORDER BY place)
  )
  SELECT
    customer_id, event_time, 'web' AS source, event_id, 'web' AS channel, event_type, touchpoint,
    stage_of(touchpoint) AS stage,
    concat(customer_id, '-', first_place) AS session_id,
    (place - first_place + 1)::INTEGER AS session_step,
    page, transaction_id, "value", currency, device, campaign
  FROM cut
) TO 'touchpoints.parquet' (COMPRESSION zstd, COMPRESSION_LEVEL 1);
