-- Journeys of the steps that were written, and their transitions at four levels, for all and by entry channel.
CREATE TABLE journeys AS
SELECT
  customer, journey,
  any_value(journey_id) AS journey_id,
  any_value(customer_id) AS customer_id,
  min(event_time) AS started_at,
  max(event_time) AS ended_at,
  count(*)::INTEGER AS touchpoints,
  arg_min(channel, step) AS entry_channel,
  arg_min(touchpoint, step) AS entry_touchpoint,
  arg_max(touchpoint, step) AS exit_touchpoint,
  count_if(opens_visit)::INTEGER AS sessions,
  count(DISTINCT channel)::INTEGER AS channels,
  bool_or(converts) AS converted,
  min(event_time) FILTER (converts) AS converted_at,
  coalesce(sum("value") FILTER (converts OR "value" < 0), 0) AS "value",
  string_agg(stage, ' > ' ORDER BY step) FILTER (enters_stage) AS path,
  arg_min(device, step) FILTER (device IS NOT NULL) AS device,
  arg_min(campaign, step) FILTER (campaign IS NOT NULL) AS campaign
FROM 'touchpoints.parquet'
GROUP BY customer, journey;

COPY (SELECT * EXCLUDE (customer, journey) FROM journeys)
TO 'journeys.parquet' (COMPRESSION zstd, COMPRESSION_LEVEL 1);

CREATE VIEW steps AS
SELECT
  steps.*, entry_channel,
  CASE WHEN converted THEN 'CONVERSION'
    WHEN ended_at < TIMESTAMPTZ '2026-06-02 00:00:00+00' THEN 'DROP_OFF' ELSE 'OPEN' END AS outcome
FROM 'touchpoints.parquet' AS steps JOIN journeys USING (customer, journey);

-- A session is one visit, named by the channel it was entered by and the stage it reached.
CREATE TABLE visits AS
WITH reached AS (
  SELECT
    customer, journey, "session", entry_channel, outcome,
    min(step) AS first_step,
    arg_min(channel, step) || ': ' || arg_max(stage, if(converts, 10, 0) + coalesce(list_position(
      ['awareness', 'consideration', 'purchase', 'service', 'loyalty', 'advocacy'], stage), 0)) AS node,
    sum(dwell_s) AS dwell_s,
    bool_or(converts) AS converts,
    arg_min(on_way, step) AS on_way,
    arg_max(settled, step) AS settled
  FROM steps
  GROUP BY customer, journey, "session", entry_channel, outcome
)
SELECT *, lead(node) OVER (PARTITION BY customer, journey ORDER BY first_step) AS next_node
FROM reached;

CREATE MACRO moves_of(level) AS TABLE
  SELECT entry_channel, customer, journey, stage AS source, coalesce(next_stage, outcome) AS target,
    dwell_s, converts, on_way AND settled AS settled, step = 1 AS opens
  FROM steps WHERE level = 'stage'
  UNION ALL
  SELECT entry_channel, customer, journey, touchpoint, coalesce(next_touchpoint, outcome),
    dwell_s, converts, on_way AND settled, step = 1
  FROM steps WHERE level = 'touchpoint'
  UNION ALL
  SELECT entry_channel, customer, journey, channel, coalesce(next_channel, outcome),
    dwell_s, converts, on_way AND settled, step = 1
  FROM steps WHERE level = 'channel'
  UNION ALL
  SELECT entry_channel, customer, journey, node, coalesce(next_node, outcome),
    if(next_node IS NULL, NULL, dwell_s), converts, on_way AND settled, first_step = 1
  FROM visits WHERE level = 'session';

-- Moves of a journey along an edge first, then customers along it: distinct counts become counts.
CREATE MACRO edges_of(level) AS TABLE
  WITH of_journey AS (
    SELECT entry_channel, source, target, customer, journey, count(*) AS n
    FROM moves_of(level) GROUP BY ALL
    UNION ALL
    SELECT entry_channel, 'START', source, customer, journey, 1 FROM moves_of(level) WHERE opens
  ),
  of_customer AS (
    SELECT entry_channel, source, target, customer, sum(n) AS n, count(*) AS journeys
    FROM of_journey GROUP BY ALL
  ),
  counted AS (
    SELECT grouping(entry_channel) = 1 AS everybody, entry_channel, source, target,
      sum(n)::BIGINT AS n, sum(journeys)::BIGINT AS journeys, count(DISTINCT customer) AS customers
    FROM of_customer
    GROUP BY GROUPING SETS ((source, target), (entry_channel, source, target))
  ),
  waited AS (
    SELECT grouping(entry_channel) = 1 AS everybody, entry_channel, source, target,
      approx_quantile(dwell_s, [0.1, 0.5, 0.9]) AS dwell
    FROM moves_of(level) WHERE dwell_s IS NOT NULL
    GROUP BY GROUPING SETS ((source, target), (entry_channel, source, target))
  ),
  on_the_way AS (
    SELECT entry_channel, source, if(converts, 'CONVERSION', target) AS target, count(*) AS n
    FROM moves_of(level) WHERE settled AND (converts OR target <> 'OPEN') GROUP BY ALL
    UNION ALL
    SELECT entry_channel, 'START', source, count(*) FROM moves_of(level) WHERE settled AND opens
    GROUP BY ALL
  ),
  settled AS (
    SELECT grouping(entry_channel) = 1 AS everybody, entry_channel, source, target, sum(n)::BIGINT AS settled
    FROM on_the_way
    GROUP BY GROUPING SETS ((source, target), (entry_channel, source, target))
  )
  SELECT level AS "level", if(counted.everybody, 'all', 'entry_channel') AS segment,
    coalesce(counted.entry_channel, 'all') AS segment_value,
    counted.source AS source_node, counted.target AS target_node, n AS "count", journeys, customers,
    coalesce(sum(n) FILTER (counted.target <> 'OPEN') OVER node, 0)::BIGINT AS denominator,
    dwell[1] AS dwell_p10_s, dwell[2] AS dwell_p50_s, dwell[3] AS dwell_p90_s,
    coalesce(settled, 0) AS settled
  FROM counted
  LEFT JOIN waited ON waited.everybody = counted.everybody AND waited.source = counted.source
    AND waited.target = counted.target AND waited.entry_channel IS NOT DISTINCT FROM counted.entry_channel
  LEFT JOIN settled ON settled.everybody = counted.everybody AND settled.source = counted.source
    AND settled.target = counted.target AND settled.entry_channel IS NOT DISTINCT FROM counted.entry_channel
  WINDOW node AS (PARTITION BY counted.everybody, counted.entry_channel, counted.source);

CREATE MACRO wilson(k, n, side) AS
  (k / n + 1.9207294103470614 / n + side * sqrt(3.8414588206941228 / n * (k / n * (1 - k / n)
    + 0.9603647051735307 / n))) / (1 + 3.8414588206941228 / n);

COPY (
  WITH edges AS (
    FROM edges_of('stage') UNION ALL FROM edges_of('touchpoint')
    UNION ALL FROM edges_of('channel') UNION ALL FROM edges_of('session')
  ),
  rated AS (SELECT *, if(target_node = 'OPEN', NULL, nullif(denominator, 0)) AS n FROM edges)
  SELECT * EXCLUDE (n), "count" / n AS probability,
    if("count" = 0, 0, wilson("count", n, -1)) AS probability_low,
    if("count" = n, 1, wilson("count", n, 1)) AS probability_high
  FROM rated
) TO 'transitions.parquet' (COMPRESSION zstd);
