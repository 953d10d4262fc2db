-- grain: declared stage
-- invariants: position runs from 1; stages of touchpoints that are not here come last on the map
CREATE TABLE stage_order AS
SELECT unnest(stages) AS stage, generate_subscripts(stages, 1)::INTEGER AS position
FROM lake.settings;

COMMENT ON TABLE stage_order IS 'one row per declared stage; key: stage';
COMMENT ON COLUMN stage_order.stage IS 'phase of the journey';
COMMENT ON COLUMN stage_order.position IS '1-based position in the customer''s life';
