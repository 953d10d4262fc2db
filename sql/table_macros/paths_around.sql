-- What people do around a touchpoint: the ways through every arrival at it, from so many touchpoints before to so many after.
-- grain: path
-- invariants: with no moves before, arrivals are those that leave the touchpoint; with none after, those that come to it
-- columns: path: names of the touchpoints on the way, joined by ' > '; START and the journey's end among them; arrivals that
--   went this way; journeys and customers who did; share: arrivals / all arrivals, with its 95% Wilson interval low, high
-- example: FROM paths_around('support_ticket', 2, 2) LIMIT 10
CREATE MACRO paths_around(touchpoint_name, moves_before, moves_after) AS TABLE
WITH arrivals AS (
    SELECT
        rowid AS journey,
        customer_id,
        walk,
        unnest(range(1 + least(moves_before, 1), length(walk) + 1 - least(moves_after, 1))) AS place
    FROM journey_walks
    WHERE contains(walk, letter_of(touchpoint_name))
        AND at_least('moves_before', moves_before, 0) >= 0
        AND at_least('moves_after', moves_after, 0) >= 0
        AND CASE
            WHEN touchpoint_name = 'START' AND moves_before > 0
                THEN error('nothing comes before START; ask for 0 moves before it, or paths_from(''START'')')
            WHEN touchpoint_name IN ('CONVERSION', 'DROP_OFF', 'OPEN') AND moves_after > 0
                THEN error(format('nothing comes after {0}; ask for 0 moves after it, or paths_to(''{0}'')', touchpoint_name))
            ELSE true
        END
),

counted AS MATERIALIZED (
    SELECT
        walk[greatest(place - moves_before, 1):place + moves_after] AS letters,
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

COMMENT ON MACRO TABLE paths_around IS
    'one row per path: what leads to the arrivals at a touchpoint and what follows, so many moves each way';
