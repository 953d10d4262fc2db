-- Sessions of the touchpoints that were written.
COPY (
  SELECT
    session_id,
    any_value(customer_id) AS customer_id,
    min(event_time) AS started_at,
    max(event_time) AS ended_at,
    count(*)::INTEGER AS touchpoints,
    'web' AS entry_channel,
    arg_min(touchpoint, session_step) AS entry_touchpoint,
    arg_max(touchpoint, session_step) AS exit_touchpoint,
    epoch(max(event_time) - min(event_time)) AS session_duration_s,
    bool_or(touchpoint = 'purchase') AS converted,
    coalesce(sum("value") FILTER (touchpoint = 'purchase' OR "value" < 0), 0) AS "value",
    arg_min(device, session_step) FILTER (device IS NOT NULL) AS device,
    arg_min(campaign, session_step) FILTER (campaign IS NOT NULL) AS campaign
  FROM 'touchpoints.parquet'
  GROUP BY session_id
) TO 'sessions.parquet' (COMPRESSION zstd, COMPRESSION_LEVEL 1);
