-- How people come to a touchpoint: the ways to every arrival at it, from so many touchpoints before, or from the journey's START.
-- grain: path
-- invariants: arrivals add up to stages.visits of the touchpoint; with moves := 1 the rows are those of `transitions`
--   that lead to it (count, journeys, customers)
-- columns: as those of paths_from; path ends with the touchpoint
-- example: FROM paths_to('purchase', 5) LIMIT 10
CREATE MACRO paths_to(touchpoint_name, moves := 5) AS TABLE
WITH arrivals AS (
    SELECT rowid AS journey, customer_id, walk, unnest(range(2, length(walk) + 1)) AS place
    FROM journey_walks
    WHERE contains(walk, letter_of(touchpoint_name))
),

counted AS MATERIALIZED (
    SELECT
        walk[greatest(place - moves, 1):place] AS letters,
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

COMMENT ON MACRO TABLE paths_to IS
    'one row per path: what leads to the arrivals at a touchpoint, from so many moves before or from START';
