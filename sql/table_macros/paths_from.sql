-- What people do after a touchpoint: the ways on from every arrival at it, so many touchpoints far, or to the journey's end.
-- grain: path
-- invariants: arrivals add up to stages.visits of the touchpoint; with moves := 1 the rows are those of `transitions`
--   that leave it (count, journeys, customers)
-- columns: as those of paths_around; path begins with the touchpoint
-- example: FROM paths_from('support_ticket', 5) LIMIT 10
CREATE MACRO paths_from(touchpoint_name, moves := 5) AS TABLE
FROM paths_around(touchpoint_name, 0, at_least('moves', moves, 1));

COMMENT ON MACRO TABLE paths_from IS
    'one row per path: what follows the arrivals at a touchpoint, so many moves far or to the journey''s end';
