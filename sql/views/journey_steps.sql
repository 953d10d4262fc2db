-- grain: touchpoint in a journey
-- invariants: (journey_id, step) is unique; step runs from 1 to journeys.touchpoints; dwell_s is null
--   exactly at the last step
-- example: SELECT step, touchpoint, dwell_s FROM journey_steps ORDER BY journey_id, step LIMIT 10
CREATE VIEW journey_steps AS
SELECT
    journey_id,
    step,
    customer_id,
    session_id,
    event_time,
    channel,
    touchpoint,
    stage,
    dwell_s,
    converts,
    value,
    currency
FROM touchpoints;

COMMENT ON VIEW journey_steps IS
    'one row per touchpoint in a journey; read it ordered by journey_id, step; key: journey_id, step';
COMMENT ON COLUMN journey_steps.journey_id IS 'journey it belongs to';
COMMENT ON COLUMN journey_steps.step IS '1-based position in the journey';
COMMENT ON COLUMN journey_steps.customer_id IS 'resolved customer';
COMMENT ON COLUMN journey_steps.session_id IS 'session it belongs to';
COMMENT ON COLUMN journey_steps.event_time IS 'when it happened, UTC';
COMMENT ON COLUMN journey_steps.channel IS 'where it happened';
COMMENT ON COLUMN journey_steps.touchpoint IS 'what happened, in the map''s vocabulary';
COMMENT ON COLUMN journey_steps.stage IS 'phase of the journey';
COMMENT ON COLUMN journey_steps.dwell_s IS
    'seconds to the journey''s next touchpoint; null at its last';
COMMENT ON COLUMN journey_steps.converts IS 'whether this touchpoint is a conversion';
COMMENT ON COLUMN journey_steps.value IS 'money moved, in currency; refunds are negative';
COMMENT ON COLUMN journey_steps.currency IS 'ISO 4217 code of value';
