-- The lake's tables from the rows `walked`, by plain SQL that shares nothing with the pipelines.

CREATE TABLE numbered AS
SELECT *, 'c' || lpad(customer::VARCHAR, 5, '0') AS customer_id,
    row_number() OVER (ORDER BY customer, event_time) AS n
FROM walked;

CREATE TABLE events AS
SELECT source, 'e' || n AS event_id, event_time, event_time + INTERVAL 3 SECOND AS ingest_time,
    touchpoint AS event_type, channel, '/' || touchpoint AS page,
    CASE WHEN value IS NOT NULL THEN 't' || n END AS transaction_id,
    value, CASE WHEN value IS NOT NULL THEN 'EUR' END AS currency,
    csat, NULL AS nps, NULL AS sentiment,
    source || (n % 2) AS file_id,
    customer_id AS id_user_id, NULL AS id_email, device
FROM numbered
UNION ALL
SELECT 'web', 'x' || i, TIMESTAMPTZ '2025-06-01', NULL, if(i < 5, 'heartbeat', 'unknown_visit'),
    'web', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'web0', NULL, NULL, NULL
FROM range(9) r(i);

CREATE TABLE touchpoint_accounting AS
SELECT source, count(*) AS events, count(*) FILTER (id_user_id IS NOT NULL) AS touchpoints,
    0 AS folded_lines, count(*) FILTER (event_type = 'heartbeat') AS ignored,
    count(*) FILTER (event_type = 'unknown_visit') AS unidentified
FROM events GROUP BY source;

CREATE TABLE dead_letters AS
SELECT 'web' AS source, 'web1' AS file_id, i + 1 AS position,
    ['bad_json', 'bad_time'][1 + i % 2] AS reason, 'record ' || i || ' is cut off' AS message
FROM range(7) r(i);

CREATE TABLE quarantine AS
SELECT * REPLACE (event_id || 'q' AS event_id, event_time + INTERVAL 50 YEAR AS event_time),
    row_number() OVER (ORDER BY event_id) AS position, 1 AS place, 'in_future' AS reason
FROM events ORDER BY event_id LIMIT 4;

CREATE TABLE ingest_ledger AS
SELECT source, source || '/' || file_id || '.jsonl' AS path, file_id, 1000 + n AS bytes,
    n + 11 + bad + held + 2 AS records_read, n AS events, 11 AS duplicates,
    bad AS dead_letters, held AS quarantined, 2 AS withheld
FROM (
    SELECT source, file_id, count(*) AS n,
        (SELECT count(*) FROM dead_letters d WHERE (d.source, d.file_id) = (e.source, e.file_id)) AS bad,
        (SELECT count(*) FROM quarantine q WHERE (q.source, q.file_id) = (e.source, e.file_id)) AS held
    FROM events e GROUP BY ALL
);

CREATE TABLE identities AS
SELECT 'user_id' AS namespace, customer_id AS value, customer_id, min(event_time) AS first_seen,
    max(event_time) AS last_seen, count(*) AS events, 'oldest' AS rule
FROM numbered GROUP BY customer_id;

CREATE TABLE touchpoints AS
WITH cut AS (
    SELECT *,
        event_time - lag(event_time) OVER w > INTERVAL 30 MINUTE IS NOT FALSE AS opens_session,
        customer_id || '-' || journey AS journey_id
    FROM numbered WINDOW w AS (PARTITION BY customer_id ORDER BY event_time)
), spanned AS (
    SELECT *, customer_id || '-s' || sum(opens_session::INT) OVER w AS session_id
    FROM cut WINDOW w AS (PARTITION BY customer_id ORDER BY event_time)
)
SELECT customer_id, event_time, source, 'e' || n AS event_id, channel, touchpoint AS event_type,
    touchpoint, stage, session_id,
    row_number() OVER (PARTITION BY session_id ORDER BY event_time) AS session_step,
    journey_id, row_number() OVER w AS step,
    date_diff('us', event_time, lead(event_time) OVER w) / 1e6 AS dwell_s,
    value IS NOT NULL AS converts, '/' || touchpoint AS page,
    CASE WHEN value IS NOT NULL THEN 't' || n END AS transaction_id,
    value, CASE WHEN value IS NOT NULL THEN 'EUR' END AS currency,
    csat, if(csat IS NULL, NULL, n % 11) AS nps, NULL AS sentiment, 1 AS lines, device
FROM spanned WINDOW w AS (PARTITION BY journey_id ORDER BY event_time);

CREATE TABLE sessions AS
SELECT session_id, any_value(customer_id) AS customer_id, min(event_time) AS started_at,
    max(event_time) AS ended_at, count(*) AS touchpoints,
    arg_min(channel, event_time) AS entry_channel, arg_min(touchpoint, event_time) AS entry_touchpoint,
    arg_max(touchpoint, event_time) AS exit_touchpoint,
    date_diff('us', min(event_time), max(event_time)) / 1e6 AS session_duration_s,
    bool_or(converts) AS converted, sum(value)::DECIMAL(18, 4) AS value, any_value(device) AS device
FROM touchpoints GROUP BY session_id;

CREATE TABLE journeys AS
SELECT journey_id, any_value(customer_id) AS customer_id, min(event_time) AS started_at,
    max(event_time) AS ended_at, count(*) AS touchpoints,
    arg_min(channel, event_time) AS entry_channel, arg_min(touchpoint, event_time) AS entry_touchpoint,
    arg_max(touchpoint, event_time) AS exit_touchpoint,
    count(DISTINCT session_id) AS sessions, count(DISTINCT channel) AS channels,
    bool_or(converts) AS converted, min(event_time) FILTER (converts) AS converted_at,
    sum(value)::DECIMAL(18, 4) AS value,
    string_agg(stage, ' > ' ORDER BY step) AS path, any_value(device) AS device
FROM touchpoints GROUP BY journey_id;

CREATE TABLE unmatched_events AS
SELECT source, channel, event_type, count(*) AS events
FROM events WHERE event_type = 'unknown_visit' GROUP BY ALL;

CREATE TABLE runs AS
SELECT 'r1' AS run_id, stage, TIMESTAMPTZ '2025-07-01' AS started_at, 1.5 AS duration_s,
    100 AS rows, 200.0 AS peak_memory_mb, false AS skipped
FROM (VALUES ('ingest'), ('publish')) t(stage);

-- The graph: slices, moves, transitions and nodes.
CREATE MACRO wl(k, n) AS ((k/n + 1.92072941/n - 1.95996398*sqrt(k/n*(1-k/n)/n + .96036471/n/n)) / (1 + 3.84145882/n));
CREATE MACRO wh(k, n) AS ((k/n + 1.92072941/n + 1.95996398*sqrt(k/n*(1-k/n)/n + .96036471/n/n)) / (1 + 3.84145882/n));

CREATE TABLE sliced AS
WITH ended AS (
    SELECT journey_id, entry_channel, device, CASE WHEN converted THEN 'CONVERSION'
        WHEN TIMESTAMPTZ '2025-07-01' - ended_at > INTERVAL 30 DAY THEN 'DROP_OFF' ELSE 'OPEN' END AS ending
    FROM journeys
), slices AS (
    SELECT journey_id, ending, 'all' AS segment, 'all' AS segment_value FROM ended
    UNION ALL SELECT journey_id, ending, 'entry_channel', entry_channel FROM ended
    UNION ALL SELECT journey_id, ending, 'device', device FROM ended WHERE device IS NOT NULL
)
SELECT *, if(level = 'stage', stage, touchpoint) AS node
FROM touchpoints JOIN slices USING (journey_id) CROSS JOIN (VALUES ('stage'), ('touchpoint')) l(level);

CREATE TABLE moves AS
SELECT level, segment, segment_value, journey_id, customer_id, 'START' AS source_node,
    node AS target_node, NULL::DOUBLE AS dwell_s FROM sliced WHERE step = 1
UNION ALL
SELECT level, segment, segment_value, journey_id, customer_id, node,
    coalesce(lead(node) OVER (PARTITION BY level, segment, journey_id ORDER BY step), ending), dwell_s
FROM sliced;

CREATE TABLE transitions AS
WITH counted AS (
    SELECT level, segment, segment_value, source_node, target_node, count(*) AS count,
        count(DISTINCT journey_id) AS journeys, count(DISTINCT customer_id) AS customers,
        quantile_cont(dwell_s, .1) AS dwell_p10_s, quantile_cont(dwell_s, .5) AS dwell_p50_s,
        quantile_cont(dwell_s, .9) AS dwell_p90_s
    FROM moves GROUP BY ALL
), shared AS (
    SELECT *, coalesce(sum(count) FILTER (target_node <> 'OPEN')
        OVER (PARTITION BY level, segment, segment_value, source_node), 0)::BIGINT AS denominator FROM counted
)
SELECT *, if(target_node = 'OPEN', NULL, count / denominator) AS probability,
    if(target_node = 'OPEN', NULL, wl(count, denominator)) AS probability_low,
    if(target_node = 'OPEN', NULL, wh(count, denominator)) AS probability_high
FROM shared;

CREATE TABLE stages AS
WITH nodes AS (
    SELECT level, segment, segment_value, node, any_value(stage) AS stage, count(*) AS visits,
        count(DISTINCT journey_id) AS journeys, count(DISTINCT customer_id) AS customers,
        quantile_cont(dwell_s, .1) AS dwell_p10_s, quantile_cont(dwell_s, .5) AS dwell_p50_s,
        quantile_cont(dwell_s, .9) AS dwell_p90_s,
        avg(csat) AS csat, count(csat) AS csat_answers,
        greatest(0, avg(csat) - 1.96 * stddev_samp(csat) / sqrt(count(csat))) AS csat_low,
        least(1, avg(csat) + 1.96 * stddev_samp(csat) / sqrt(count(csat))) AS csat_high,
        avg((ending = 'CONVERSION')::INT) FILTER (ending <> 'OPEN') AS conversion_p
    FROM sliced GROUP BY ALL
), ends AS (
    SELECT level, segment, segment_value, source_node AS node,
        coalesce(sum(count) FILTER (target_node = 'DROP_OFF'), 0)::BIGINT AS drop_offs,
        coalesce(sum(count) FILTER (target_node = 'OPEN'), 0)::BIGINT AS opens
    FROM transitions GROUP BY ALL
)
SELECT *, drop_offs / nullif(visits - opens, 0) AS drop_off_p,
    wl(drop_offs, nullif(visits - opens, 0)) AS drop_off_low,
    wh(drop_offs, nullif(visits - opens, 0)) AS drop_off_high
FROM nodes JOIN ends USING (level, segment, segment_value, node);

-- Findings: shaped like the real ones, made up.
CREATE TABLE attribution AS
WITH weights AS (
    SELECT node, sum(visits) AS w FROM stages WHERE level = 'touchpoint' AND segment = 'all' GROUP BY ALL
)
SELECT model, 'touchpoint' AS level, node, w / sum(w) OVER (PARTITION BY model) AS credit,
    w / sum(w) OVER (PARTITION BY model) * (SELECT count(*) FROM journeys WHERE converted) AS conversions,
    w / sum(w) OVER (PARTITION BY model) * (SELECT sum(value) FROM journeys WHERE converted)::DOUBLE AS value
FROM weights CROSS JOIN (VALUES ('removal_effect'), ('last_touch')) m(model);

CREATE TABLE pain_points AS
SELECT row_number() OVER (ORDER BY drop_off_low - .2 DESC) AS rank, 'excess_drop_off' AS kind,
    level, node, NULL::VARCHAR AS target, segment, segment_value, NULL::DATE AS begins,
    NULL::DATE AS begins_earliest, NULL::DATE AS begins_latest, NULL::DATE AS ends,
    NULL::DATE AS ends_earliest, NULL::DATE AS ends_latest,
    'share' AS unit, drop_off_low - .2 AS excess_low, NULL::VARCHAR AS also,
    format('SELECT journey_id FROM journeys WHERE exit_touchpoint = ''{}''', node) AS journeys_query,
    drop_off_p AS measured, drop_off_low AS measured_low,
    drop_off_high AS measured_high, .2 AS baseline, visits - opens AS denominator,
    .0001 AS p_value, .001 AS q_value, drop_offs - .2 * visits AS cost_journeys, 900.0 AS cost_value,
    format('{:.0f}% of journeys end at {} without converting, against 20% at comparable steps.',
        100 * drop_off_p, node) AS sentence,
    format('SELECT node, drop_offs, visits - opens AS denominator, drop_off_p' || chr(10) || 'FROM stages' || chr(10) || ''
        'WHERE level = ''{}'' AND segment = ''all'' AND node = ''{}''', level, node) AS query
FROM stages
WHERE level = 'touchpoint' AND segment = 'all' AND drop_off_low > .25 AND node LIKE 'checkout%';

CREATE TABLE journey_personas AS
SELECT journey_id, customer_id, CASE WHEN touchpoints < 3 THEN 'undetermined'
    WHEN bool_or_store THEN 'p2' ELSE 'p1' END AS persona_id, .9 AS confidence
FROM journeys JOIN (
    SELECT journey_id, bool_or(channel = 'store') AS bool_or_store FROM touchpoints GROUP BY ALL
) USING (journey_id);

CREATE TABLE customer_personas AS
SELECT customer_id, count(*) AS journeys, min(persona_id) AS persona_id, .9 AS confidence
FROM journey_personas GROUP BY customer_id;

CREATE TABLE personas AS
WITH named (persona_id, place, name) AS (VALUES ('p1', 1, 'Online browsers'), ('p2', 2, 'Store visitors')),
members AS (
    SELECT persona_id, count(*) AS customers FROM customer_personas GROUP BY ALL
)
SELECT persona_id, place, name, any_value(customers) AS customers, count(*) AS journeys,
    count(*) / total AS share, wl(count(*), total) AS share_low, wh(count(*), total) AS share_high,
    avg(converted::INT) AS conversion_rate, max(journey_id) AS medoid_journey_id,
    min(journey_id) AS exemplar_2_journey_id, 'usable' AS grade, .72 AS stability, .8 AS firmness,
    'Half of all.' AS portrait
FROM journey_personas JOIN journeys USING (journey_id) JOIN named USING (persona_id)
    LEFT JOIN members USING (persona_id),
    (SELECT count(*) AS total FROM journey_personas WHERE persona_id <> 'undetermined')
GROUP BY persona_id, place, name, total;

CREATE TABLE persona_features AS
WITH held AS (
    SELECT persona_id, touchpoint AS feature, count(DISTINCT journey_id) AS k
    FROM touchpoints JOIN journey_personas USING (journey_id) JOIN personas USING (persona_id) GROUP BY ALL
)
SELECT persona_id, 'touchpoint' AS kind, feature, 'share of journeys' AS unit, k / journeys AS value,
    .2 AS value_others, k / sqrt(journeys) AS z,
    row_number() OVER (PARTITION BY persona_id ORDER BY k DESC, feature) AS rank,
    'Half of all.' AS sentence
FROM held JOIN personas USING (persona_id);
