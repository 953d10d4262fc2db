-- From raw web events to events of known customers, in DuckDB alone: the same work as footpath's stages
-- ingest and resolve under benchmarks/config.yml, on the same files.
--
-- Variables: input (glob of the JSON lines), inner_pad and outer_pad (of the HMAC key). Written into the
-- current folder:
--   events/source=/event_date=/   accepted, de-duplicated events, zstd Parquet
--   dead_letters.parquet          position (1-based line) and reason of every refused line
--   quarantine.parquet            events in the future or before 2000
--   identities.parquet            identifier: customer
-- Left behind: the view `ruled`, a row an event of a known customer, with its touchpoint, and the macro `stage_of`.
--
-- Raw lines are parsed once, into one table in memory. Lines that are no JSON come as rows of nulls,
-- and rows keep the order of the input, so that a row's number tells its line.

CREATE MACRO clean(value) AS CASE
  WHEN lower(trim(value)) IN ('', 'null', 'none', 'undefined', 'nan', 'n/a', 'na', 'nil', 'unknown',
    'anonymous', 'guest', 'test', '(not set)', '[object object]', '-1')
    OR regexp_full_match(trim(value), '[0-]*') THEN NULL
  ELSE trim(value) END;

-- HMAC-SHA-256 (RFC 2104); the pads are the key, filled up with zeros to 64 bytes, XOR 0x36 and 0x5c.
CREATE MACRO keyed_hash(namespace, value) AS left(sha256(
  getvariable('outer_pad')
  || unhex(sha256(getvariable('inner_pad') || encode(namespace || chr(31) || value)))
), 32);

CREATE MACRO clean_email(value) AS CASE
  WHEN clean(lower(value)) IS NULL OR NOT regexp_full_match(trim(value), '[^\s@]+@[^\s@]+') THEN NULL
  ELSE keyed_hash('email', trim(lower(value))) END;

CREATE MACRO clean_id(namespace, value) AS CASE
  WHEN contains(value, '@') THEN keyed_hash(namespace, clean(value))
  ELSE clean(value) END;

-- 1. Parse.
CREATE TABLE records AS
WITH lines AS (
  SELECT
    file_index::USMALLINT AS file,
    "type" IS NULL AND messageId IS NULL AND "timestamp" IS NULL AS empty,
    nullif(messageId, '') AS event_id,
    nullif("timestamp", '') AS time_text,
    nullif(receivedAt, '') AS ingest_text,
    trim(coalesce(nullif("event", ''), nullif("name", ''), nullif("type", ''))) AS event_type,
    nullif(trim(split_part(split_part(properties.path, '?', 1), '#', 1)), '') AS page,
    properties.order_id AS transaction_id,
    nullif(properties.revenue, '') AS value_text,
    nullif(trim(properties.currency), '') AS currency,
    userId AS user_id,
    anonymousId AS anonymous_id,
    traits.email AS email,
    hash(userId, anonymousId, traits.email) AS link,
    nullif(trim(context.device."type"), '') AS device,
    nullif(trim(context.campaign."name"), '') AS campaign
  FROM read_json(
    getvariable('input'),
    format = 'newline_delimited',
    ignore_errors = true,
    columns = {
      "type": 'VARCHAR', messageId: 'VARCHAR', "timestamp": 'VARCHAR', receivedAt: 'VARCHAR',
      "event": 'VARCHAR', "name": 'VARCHAR', userId: 'VARCHAR', anonymousId: 'VARCHAR',
      traits: 'STRUCT(email VARCHAR)',
      properties: 'STRUCT(path VARCHAR, order_id VARCHAR, revenue VARCHAR, currency VARCHAR)',
      context: 'STRUCT(device STRUCT("type" VARCHAR), campaign STRUCT("name" VARCHAR))'
    }
  )
),
typed AS (
  SELECT
    *,
    try_cast(time_text AS TIMESTAMPTZ) AS event_time,
    coalesce(try_cast(ingest_text AS TIMESTAMPTZ), event_time) AS ingest_time,
    try_cast(value_text AS DECIMAL(18, 4)) AS "value"
  FROM lines
)
SELECT
  * EXCLUDE (empty, time_text, ingest_text, value_text)
    REPLACE (coalesce(event_id, sha256(concat_ws(chr(31), event_time, event_type, page))) AS event_id),
  CASE
    WHEN time_text IS NULL THEN if(empty, 'no_event', 'missing_event_time')
    WHEN event_time IS NULL THEN 'bad_event_time'
    WHEN event_type IS NULL THEN 'missing_event_type'
    WHEN ingest_text IS NOT NULL AND try_cast(ingest_text AS TIMESTAMPTZ) IS NULL THEN 'bad_ingest_time'
    WHEN value_text IS NOT NULL AND "value" IS NULL THEN 'bad_value'
  END AS dead,
  CASE
    WHEN event_time > TIMESTAMPTZ '2026-07-02 00:00:00+00' THEN 'in_future'
    WHEN event_time < TIMESTAMPTZ '2000-01-01 00:00:00+00' THEN 'too_old'
  END AS held
FROM typed;

-- 2. What is refused and what is held.
COPY (
  WITH starts AS (SELECT file, min(rowid) AS first_row FROM records GROUP BY file)
  SELECT 'web' AS source, file, records.rowid - first_row + 1 AS "position", dead AS reason
  FROM records JOIN starts USING (file)
  WHERE dead IS NOT NULL
) TO 'dead_letters.parquet' (COMPRESSION zstd);

COPY (SELECT * EXCLUDE (dead, user_id, anonymous_id, email) FROM records
      WHERE dead IS NULL AND held IS NOT NULL)
TO 'quarantine.parquet' (COMPRESSION zstd);

-- The order of lines has served its purpose; what follows is faster without.
SET preserve_insertion_order = false;

-- 3. Duplicates. Few ids repeat, so only their rows are looked at closely.
DELETE FROM records WHERE dead IS NOT NULL OR held IS NOT NULL;

CREATE TABLE losers AS
WITH repeated AS (
  SELECT hash(event_id) AS key FROM records GROUP BY key HAVING count(*) > 1
)
SELECT rowid AS loser
FROM records
WHERE hash(event_id) IN (SELECT key FROM repeated)
QUALIFY row_number() OVER (
  PARTITION BY event_id ORDER BY ingest_time, hash(records)
) > 1;

DELETE FROM records WHERE rowid IN (SELECT loser FROM losers);

-- 4. Who is who: distinct combinations of identifiers are cleaned and hashed, not events.
CREATE TABLE links AS
WITH combinations AS (
  SELECT link, any_value(user_id) AS user_id, any_value(anonymous_id) AS anonymous_id,
    any_value(email) AS email,
    min(event_time) AS first_seen, max(event_time) AS last_seen, count(*) AS events
  FROM records
  GROUP BY link
)
SELECT link, first_seen, last_seen, events,
  clean_id('user_id', user_id) AS id_user_id,
  clean_email(email) AS id_email,
  clean_id('anonymous_id', anonymous_id) AS id_anonymous_id
FROM combinations;

CREATE TABLE nodes AS
WITH seen AS (
  SELECT 1 AS strength, id_user_id AS "value", first_seen, last_seen, events FROM links
  UNION ALL
  SELECT 2, id_email, first_seen, last_seen, events FROM links
  UNION ALL
  SELECT 3, id_anonymous_id, first_seen, last_seen, events FROM links
),
known AS (
  SELECT strength, "value", min(first_seen) AS first_seen, max(last_seen) AS last_seen,
    sum(events)::BIGINT AS events
  FROM seen
  WHERE "value" IS NOT NULL
  GROUP BY ALL
)
-- Numbered by age, so that the smallest number of a component is its oldest identifier.
SELECT row_number() OVER (ORDER BY first_seen, strength, hash) AS node, * FROM (
  -- md5_number_upper gives the same and takes five times as long.
  SELECT *, (md5_number(['user_id', 'email', 'anonymous_id'][strength] || chr(31) || "value")
    & 18446744073709551615::UHUGEINT)::UBIGINT AS hash
  FROM known
);

CREATE TABLE edges AS
WITH numbered AS (
  SELECT u.node AS u, e.node AS e, a.node AS a
  FROM links
  LEFT JOIN nodes u ON u.strength = 1 AND u."value" = id_user_id
  LEFT JOIN nodes e ON e.strength = 2 AND e."value" = id_email
  LEFT JOIN nodes a ON a.strength = 3 AND a."value" = id_anonymous_id
),
pairs AS (
  SELECT u AS x, e AS y FROM numbered WHERE u IS NOT NULL AND e IS NOT NULL
  UNION
  SELECT u, a FROM numbered WHERE u IS NOT NULL AND a IS NOT NULL
  UNION
  SELECT e, a FROM numbered WHERE u IS NULL AND e IS NOT NULL AND a IS NOT NULL
)
SELECT x, y FROM pairs UNION ALL SELECT y, x FROM pairs;

-- Label propagation until nothing changes: every node takes the smallest number that reaches it.
CREATE TABLE components AS
WITH RECURSIVE component(node, label) USING KEY (node) AS (
  SELECT node, node FROM nodes
  UNION
  SELECT edges.y, min(component.label)
  FROM component
  JOIN edges ON edges.x = component.node
  JOIN recurring.component AS known ON known.node = edges.y
  WHERE component.label < known.label
  GROUP BY edges.y
)
SELECT node, label FROM component;

CREATE TABLE customers AS
WITH named AS (
  SELECT node AS label, format('{:016x}', hash) AS customer_id
  FROM nodes
  WHERE node IN (SELECT label FROM components)
)
SELECT nodes.*, label, customer_id
FROM nodes JOIN components USING (node) JOIN named USING (label);

COPY (
  SELECT ['user_id', 'email', 'anonymous_id'][strength] AS namespace, "value", customer_id,
    first_seen, last_seen, events
  FROM customers
) TO 'identities.parquet' (COMPRESSION zstd);

CREATE TABLE resolved AS
SELECT
  link, id_user_id, id_email, id_anonymous_id,
  coalesce(u.customer_id, e.customer_id, a.customer_id) AS customer_id,
  coalesce(u.label, e.label, a.label) AS customer
FROM links
LEFT JOIN customers u ON u.strength = 1 AND u."value" = id_user_id
LEFT JOIN customers e ON e.strength = 2 AND e."value" = id_email
LEFT JOIN customers a ON a.strength = 3 AND a."value" = id_anonymous_id;

-- 5. Events.
COPY (
  SELECT
    'web' AS source, event_id, event_time, ingest_time, event_type, 'web' AS channel, page,
    transaction_id, "value", currency, file, id_user_id, id_email, id_anonymous_id, device, campaign,
    event_time::DATE AS event_date
  FROM records JOIN resolved USING (link)
) TO 'events' (FORMAT parquet, PARTITION_BY (source, event_date), COMPRESSION zstd, COMPRESSION_LEVEL 1);

-- 6. What happened, by the first rule that matches.
CREATE VIEW ruled AS
SELECT
  customer, customer_id, event_time, event_id, event_type, page, transaction_id, "value", currency, device,
  campaign,
  CASE lower(event_type)
    WHEN 'order completed' THEN 'purchase'
    WHEN 'payment failed' THEN 'payment_failed'
    WHEN 'payment info entered' THEN 'payment'
    WHEN 'checkout started' THEN 'checkout'
    WHEN 'product added' THEN 'cart'
    WHEN 'cart viewed' THEN 'cart'
    WHEN 'coupon applied' THEN 'cart'
    WHEN 'products searched' THEN 'search'
    WHEN 'product list viewed' THEN 'product_list'
    WHEN 'product viewed' THEN 'product'
    WHEN 'product added to wishlist' THEN 'product'
    WHEN 'store finder' THEN 'store_locator'
    WHEN 'landing' THEN 'landing'
    WHEN 'promotion clicked' THEN 'landing'
    WHEN 'home' THEN 'browse'
    WHEN 'guide' THEN 'browse'
    WHEN 'order status' THEN 'order_status'
    WHEN 'loyalty club' THEN 'club'
    WHEN 'product reviewed' THEN 'review'
    WHEN 'product shared' THEN 'review'
    ELSE CASE
      WHEN NOT starts_with(lower(event_type), 'checkout step ') THEN 'other'
      WHEN lower(page) = '/checkout/address' THEN 'address'
      WHEN lower(page) = '/checkout/shipping' THEN 'shipping'
      ELSE 'order_review' END
  END AS touchpoint
FROM records JOIN resolved USING (link)
WHERE customer_id IS NOT NULL AND lower(event_type) <> 'identify';

CREATE MACRO stage_of(touchpoint) AS CASE
  WHEN touchpoint IN ('landing', 'browse') THEN 'awareness'
  WHEN touchpoint IN ('search', 'product_list', 'product', 'store_locator') THEN 'consideration'
  WHEN touchpoint = 'order_status' THEN 'service'
  WHEN touchpoint = 'club' THEN 'loyalty'
  WHEN touchpoint = 'review' THEN 'advocacy'
  WHEN touchpoint = 'other' THEN 'other'
  ELSE 'purchase' END;
