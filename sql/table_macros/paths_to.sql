-- How people come to a touchpoint: the ways to every arrival at it, from so many touchpoints before, or from the journey's START.
-- grain: path
-- invariants: arrivals add up to stages.visits of the touchpoint; with moves := 1 the rows are those of `transitions`
--   that lead to it (count, journeys, customers)
-- columns: as those of paths_around; path ends with the touchpoint
-- example: FROM paths_to('purchase', 5) LIMIT 10
CREATE MACRO paths_to(touchpoint_name, moves := 5) AS TABLE
FROM paths_around(touchpoint_name, at_least('moves', moves, 1), 0);

COMMENT ON MACRO TABLE paths_to IS
    'one row per path: what leads to the arrivals at a touchpoint, from so many moves before or from START';
