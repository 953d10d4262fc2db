-- grain: stage, START and the ends of journeys
-- invariants: every stage of a fact is here; position is unique among stages
-- example: SELECT position, stage FROM dim_stage ORDER BY position
CREATE VIEW dim_stage AS
WITH undeclared AS (
    SELECT DISTINCT stage FROM map_cells ANTI JOIN stage_order USING (stage)
),

ordered AS (
    SELECT stage, position, true AS declared FROM stage_order
    UNION ALL
    SELECT stage, (SELECT count(*) FROM stage_order) + row_number() OVER (ORDER BY stage), false
    FROM undeclared
)

SELECT stage, position::INTEGER AS position, 'stage' AS kind, declared FROM ordered
UNION ALL
SELECT stage, (CASE kind WHEN 'start' THEN 0 ELSE (SELECT count(*) FROM ordered) + 1 END)::INTEGER, kind, true
FROM (VALUES ('START', 'start'), ('CONVERSION', 'end'), ('DROP_OFF', 'end'), ('OPEN', 'end'))
    AS ends (stage, kind);

COMMENT ON VIEW dim_stage IS 'one row per stage, START, CONVERSION, DROP_OFF and OPEN; key: stage';
COMMENT ON COLUMN dim_stage.stage IS 'phase of the journey, or START, CONVERSION, DROP_OFF, OPEN';
COMMENT ON COLUMN dim_stage.position IS 'place on the map from left to right; START is 0, the ends share the last';
COMMENT ON COLUMN dim_stage.kind IS 'stage, start or end';
COMMENT ON COLUMN dim_stage.declared IS 'whether the configuration lists it; other stages come after those';
