-- The journeys whose touchpoints match a regular expression of touchpoint names: 'search .* purchase'.
--   A name stands for one touchpoint, a dot for any; START, CONVERSION, DROP_OFF and OPEN may be named, too. The signs of
--   regular expressions ( ) | * + ? {2,3} mean what they always do; blanks mean nothing. A name that holds other signs than
--   letters, digits and _ stands in double quotes.
-- grain: journey
-- invariants: for a single name the journeys are those that hold it (stages.journeys); for 'a .* b' those of step 2 of
--   funnel(['a', 'b'])
-- columns: journey_id, customer_id
-- example: SELECT outcome, count(*) AS journeys FROM journeys_matching('product_view .* add_to_cart (checkout_shipping)?') JOIN journeys USING (journey_id) GROUP BY outcome
CREATE MACRO journeys_matching(pattern) AS TABLE
WITH asked AS (
    SELECT CASE
        WHEN coalesce(trim(pattern), '') = ''
            THEN error('the pattern is empty; name touchpoints, as in ''search .* purchase''')
        ELSE pattern
    END AS wanted
),

pieces AS (
    SELECT
        unnest(regexp_split_to_array(wanted, '"[^"]*"|[\p{L}_][\p{L}\p{N}_]*')) AS between,
        unnest(list_append(regexp_extract_all(wanted, '"[^"]*"|[\p{L}_][\p{L}\p{N}_]*'), NULL)) AS name,
        generate_subscripts(regexp_split_to_array(wanted, '"[^"]*"|[\p{L}_][\p{L}\p{N}_]*'), 1) AS n
    FROM asked
),

written AS (
    SELECT string_agg(
        replace(replace(between, ' ', ''), '.', '[^<>!~\n]')
            || CASE WHEN name IS NULL THEN '' ELSE letter_of(trim(name, '"')) END,
        '' ORDER BY n
    ) AS expression
    FROM pieces
),

-- Distinct walks, thousands to a text, a line each: an expression is compiled once a text, not once a walk.
pages AS (
    SELECT string_agg(walk, chr(10)) AS page
    FROM (SELECT DISTINCT walk FROM journey_walks)
    GROUP BY hash(walk) % 64
),

matching AS (
    SELECT unnest(regexp_extract_all(page, '(?m)^.*(?:' || expression || ').*$')) AS walk
    FROM pages
    CROSS JOIN written
)

SELECT journey_id, customer_id
FROM journey_walks
WHERE walk IN (SELECT walk FROM matching);

COMMENT ON MACRO TABLE journeys_matching IS
    'one row per journey whose touchpoints match a regular expression of touchpoint names';
