-- Touchpoints with their sessions and their steps in journeys (silence over 30 days opens a journey; so does
-- what comes before a purchase, after one). A row is wider than footpath's by what the next scripts need: numbers
-- for the ids, and the next node of its journey.
COPY (
  WITH ordered AS (
    SELECT *,
      row_number() OVER path AS place,
      event_time - lag(event_time) OVER path AS pause
    FROM ruled
    WINDOW path AS (PARTITION BY customer ORDER BY event_time, event_id)
  ),
  marked AS (
    SELECT * EXCLUDE (pause),
      stage_of(touchpoint) AS stage,
      touchpoint = 'purchase' AS converts,
      coalesce(pause > INTERVAL 30 minutes, true) AS opens_session,
      coalesce(pause > INTERVAL 30 days, true) AS quiet,
      quiet OR stage IN ('awareness', 'consideration') AS may_open
    FROM ordered
  ),
  sessions AS (
    SELECT * EXCLUDE (quiet, may_open),
      max(CASE WHEN opens_session THEN place END) OVER path AS session,
      max(CASE WHEN converts THEN place END) OVER before AS bought,
      quiet OR may_open AND coalesce(
        bought >= max(CASE WHEN may_open THEN place END) OVER before, false) AS opens_journey
    FROM marked
    WINDOW
      path AS (PARTITION BY customer ORDER BY place ROWS UNBOUNDED PRECEDING),
      before AS (PARTITION BY customer ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
  ),
  journeys AS (
    SELECT *,
      max(CASE WHEN opens_journey THEN place END) OVER path AS journey,
      lead(opens_journey, 1, true) OVER path AS ends,
      lead(event_time) OVER path AS next_time,
      lead(stage) OVER path AS next_stage,
      lead(touchpoint) OVER path AS next_touchpoint,
      coalesce(stage <> lag(stage) OVER path, true) AS enters
    FROM sessions
    WINDOW path AS (PARTITION BY customer ORDER BY place ROWS UNBOUNDED PRECEDING)
  )
  SELECT
    customer_id, event_time, 'web' AS source, event_id, 'web' AS channel, event_type, touchpoint, stage,
    concat(customer_id, '-', session) AS session_id,
    (place - session + 1)::INTEGER AS session_step,
    concat(customer_id, '-', journey) AS journey_id,
    (place - journey + 1)::INTEGER AS step,
    if(ends, NULL, (epoch_us(next_time) - epoch_us(event_time)) / 1e6) AS dwell_s,
    converts,
    page, transaction_id, "value", currency, device, campaign,
    customer, session, journey,
    opens_session OR opens_journey AS opens_visit,
    enters OR opens_journey AS enters_stage,
    coalesce(bought < journey, true) AS on_way,
    event_time < TIMESTAMPTZ '2026-06-02 00:00:00+00' AS settled,
    if(ends, NULL, next_stage) AS next_stage,
    if(ends, NULL, next_touchpoint) AS next_touchpoint,
    if(ends, NULL, 'web') AS next_channel
  FROM journeys
) TO 'touchpoints.parquet' (COMPRESSION zstd, COMPRESSION_LEVEL 1);
