-- What people do after a touchpoint: the ways on from every arrival at it, so many touchpoints far, or to the journey's end.
-- grain: path
-- invariants: arrivals add up to stages.visits of the touchpoint; with moves := 1 the rows are those of `transitions`
--   that leave it (count, journeys, customers)
-- columns: path: the touchpoint and what follows, joined by ' > '; arrivals that went this way; journeys and customers who
--   did; share: arrivals / all arrivals at the touchpoint, with its 95% Wilson interval low, high
-- example: FROM paths_from('support_ticket', 5) LIMIT 10
CREATE MACRO paths_from(touchpoint_name, moves := 5) AS TABLE
WITH arrivals AS (
    SELECT rowid AS journey, customer_id, walk, unnest(range(1, length(walk))) AS place
    FROM journey_walks
    WHERE contains(walk, letter_of(touchpoint_name))
),

counted AS MATERIALIZED (
    SELECT
        substr(walk, place, moves + 1) AS letters,
        count(*) AS arrivals,
        count(DISTINCT journey) AS journeys,
        count(DISTINCT customer_id) AS customers
    FROM arrivals
    WHERE substr(walk, place, 1) = letter_of(touchpoint_name)
    GROUP BY letters
)

SELECT
    names_of(letters) AS path,
    arrivals,
    journeys,
    customers,
    arrivals / sum(arrivals) OVER () AS share,
    wilson_low(arrivals, sum(arrivals) OVER ()) AS low,
    wilson_high(arrivals, sum(arrivals) OVER ()) AS high
FROM counted
ORDER BY arrivals DESC, path;

COMMENT ON MACRO TABLE paths_from IS
    'one row per path: what follows the arrivals at a touchpoint, so many moves far or to the journey''s end';
