-- grain: journey x touchpoint it was at, and START: the first visit, repeats of one touchpoint collapsed
-- invariants: (journey_id, touchpoint) is unique; came_from is null exactly at START; goes_to is null at the
--   journey's end; lost implies unconverted, which implies decided
-- example: SELECT touchpoint, count(*) AS journeys, count_if(lost) AS lost FROM first_visits GROUP BY touchpoint ORDER BY lost DESC
CREATE VIEW first_visits AS
WITH marked AS (
    SELECT
        journey_id,
        step,
        touchpoint,
        event_time,
        lag(touchpoint) OVER in_journey IS DISTINCT FROM touchpoint AS opens,
        bool_or(converts) OVER in_journey AS has_converted
    FROM touchpoints
    WINDOW in_journey AS (PARTITION BY journey_id ORDER BY step)
),
visits AS (
    SELECT
        journey_id,
        step,
        touchpoint,
        event_time AS arrived_at,
        has_converted,
        row_number() OVER in_journey AS position,
        coalesce(lag(touchpoint) OVER in_journey, 'START') AS came_from,
        lead(touchpoint) OVER in_journey AS goes_to,
        epoch_us(lead(event_time) OVER in_journey - event_time) / 1e6 AS wait_s
    FROM marked
    WHERE opens
    WINDOW in_journey AS (PARTITION BY journey_id ORDER BY step)
),
numbered AS (
    SELECT *, row_number() OVER (PARTITION BY journey_id, touchpoint ORDER BY position) AS visit
    FROM visits
),
first AS (
    SELECT * FROM numbered WHERE visit = 1
),
with_start AS (
    SELECT
        first.journey_id,
        first.step,
        first.touchpoint,
        first.arrived_at,
        first.position,
        first.came_from,
        first.goes_to,
        coalesce(following.position < first.position, false) AS goes_back,
        first.wait_s,
        first.has_converted
    FROM first
    LEFT JOIN first AS following
        ON following.journey_id = first.journey_id AND following.touchpoint = first.goes_to
    UNION ALL
    SELECT journey_id, 0, 'START', started_at, 0, NULL, entry_touchpoint, false, NULL, false
    FROM journeys
)
SELECT
    with_start.journey_id,
    with_start.touchpoint,
    step,
    arrived_at,
    position,
    came_from,
    goes_to,
    goes_back,
    wait_s,
    outcome <> 'open' AND NOT has_converted AS decided,
    outcome = 'lapsed' AND NOT has_converted AS unconverted,
    outcome = 'lapsed' AND NOT has_converted AND touchpoint = exit_touchpoint AS lost
FROM with_start
JOIN journeys USING (journey_id);

COMMENT ON VIEW first_visits IS
    'one row per journey and touchpoint it was at (its first visit there, repeats collapsed), and START; key: journey_id, touchpoint';
COMMENT ON COLUMN first_visits.journey_id IS 'journey';
COMMENT ON COLUMN first_visits.touchpoint IS 'touchpoint, or START';
COMMENT ON COLUMN first_visits.step IS 'step of the journey at which it arrived; 0 at START';
COMMENT ON COLUMN first_visits.arrived_at IS 'when it arrived, UTC';
COMMENT ON COLUMN first_visits.position IS '1-based place among the visits of the journey; 0 at START';
COMMENT ON COLUMN first_visits.came_from IS 'touchpoint before it, or START';
COMMENT ON COLUMN first_visits.goes_to IS 'touchpoint after it; null at the journey''s end';
COMMENT ON COLUMN first_visits.goes_back IS 'whether the touchpoint after it had been visited before it';
COMMENT ON COLUMN first_visits.wait_s IS 'seconds until it arrived at the touchpoint after it; null at the end';
COMMENT ON COLUMN first_visits.decided IS 'whether the journey had not converted by then, and has ended';
COMMENT ON COLUMN first_visits.unconverted IS 'decided, and never converted';
COMMENT ON COLUMN first_visits.lost IS 'decided, and this touchpoint was the journey''s last';
