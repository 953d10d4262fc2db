-- grain: stage x channel x touchpoint, a cell's entry of the journey map
-- invariants: touchpoints add up to the rows of the table touchpoints; the measures of the node
--   (conversion, dwell, drop-off, satisfaction) are those of `stages` at level touchpoint, segment all,
--   over all channels and stages where the touchpoint occurs
CREATE TABLE map_cells AS
WITH counted AS (
    SELECT stage, channel, touchpoint, count(*) AS touchpoints, sum(step) / count(*) AS mean_step
    FROM touchpoints
    GROUP BY ALL
),

placed AS (
    SELECT
        counted.*,
        coalesce(list_position(settings.stages, stage), len(settings.stages) + 1) AS stage_position
    FROM counted
    CROSS JOIN lake.settings AS settings
),

nodes AS (
    SELECT *
    FROM stages
    WHERE level = 'touchpoint' AND segment = 'all'
),

hurting AS (
    SELECT node, min(rank) AS pain_rank
    FROM pain_points
    WHERE level = 'touchpoint'
    GROUP BY node
)

SELECT
    placed.stage,
    placed.stage_position,
    placed.channel,
    placed.touchpoint,
    placed.touchpoints,
    placed.mean_step,
    placed.touchpoints / sum(placed.touchpoints) OVER () AS share,
    nodes.journeys,
    nodes.customers,
    nodes.conversion_p,
    nodes.dwell_p50_s,
    nodes.csat,
    nodes.csat_low,
    nodes.csat_high,
    nodes.csat_answers,
    nodes.drop_offs,
    nodes.visits - nodes.opens AS drop_off_denominator,
    nodes.drop_off_p,
    nodes.drop_off_low,
    nodes.drop_off_high,
    hurting.pain_rank
FROM placed
LEFT JOIN nodes ON nodes.node = placed.touchpoint
LEFT JOIN hurting ON hurting.node = placed.touchpoint;

COMMENT ON TABLE map_cells IS
    'one row per stage x channel x touchpoint: the entries of the journey map';
COMMENT ON COLUMN map_cells.stage IS 'phase of the journey';
COMMENT ON COLUMN map_cells.stage_position IS
    '1-based position of the stage; stages that are not declared come last';
COMMENT ON COLUMN map_cells.channel IS 'where it happened';
COMMENT ON COLUMN map_cells.touchpoint IS 'what happened, in the map''s vocabulary';
COMMENT ON COLUMN map_cells.touchpoints IS 'how often it happened in this stage and channel';
COMMENT ON COLUMN map_cells.mean_step IS 'mean 1-based position in the journey';
COMMENT ON COLUMN map_cells.share IS 'touchpoints / all touchpoints';
COMMENT ON COLUMN map_cells.journeys IS 'journeys that hold the touchpoint, in any channel';
COMMENT ON COLUMN map_cells.customers IS 'customers who had the touchpoint, in any channel';
COMMENT ON COLUMN map_cells.conversion_p IS 'probability to convert from the touchpoint';
COMMENT ON COLUMN map_cells.dwell_p50_s IS 'median time to the next touchpoint, seconds';
COMMENT ON COLUMN map_cells.csat IS 'mean satisfaction answer at the touchpoint, 0..1';
COMMENT ON COLUMN map_cells.csat_low IS '95% interval of csat, low end';
COMMENT ON COLUMN map_cells.csat_high IS '95% interval of csat, high end';
COMMENT ON COLUMN map_cells.csat_answers IS 'number of satisfaction answers';
COMMENT ON COLUMN map_cells.drop_offs IS 'journeys that ended at the touchpoint without conversion';
COMMENT ON COLUMN map_cells.drop_off_denominator IS
    'arrivals at the touchpoint, without journeys that stand there';
COMMENT ON COLUMN map_cells.drop_off_p IS 'drop_offs / drop_off_denominator';
COMMENT ON COLUMN map_cells.drop_off_low IS '95% Wilson interval of drop_off_p, low end';
COMMENT ON COLUMN map_cells.drop_off_high IS '95% Wilson interval of drop_off_p, high end';
COMMENT ON COLUMN map_cells.pain_rank IS 'rank of the first pain point found at the touchpoint';
