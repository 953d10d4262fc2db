-- grain: segment x segment_value x stage x channel x touchpoint, a cell's entry of the map of some journeys
-- invariants: of segment 'all', touchpoints are those of map_cells; only slices that `stages` has
CREATE TABLE map_slices AS
WITH met AS (
    SELECT journey_id, stage, channel, touchpoint, count(*) AS touchpoints
    FROM touchpoints
    GROUP BY ALL
),

met_by_stratum AS (
    SELECT
        stratum,
        stage,
        channel,
        touchpoint,
        sum(touchpoints) AS touchpoints,
        count(*) AS journeys,
        min(journey_id, 5) AS examples
    FROM met
    JOIN lake.journey_strata USING (journey_id)
    GROUP BY ALL
)

SELECT
    segment,
    segment_value,
    stage,
    channel,
    touchpoint,
    sum(met.touchpoints)::BIGINT AS touchpoints,
    sum(met.journeys)::BIGINT AS journeys,
    list_sort(flatten(list(examples)))[:5] AS examples
FROM met_by_stratum AS met
JOIN lake.strata USING (stratum)
JOIN lake.slices USING (slice)
SEMI JOIN stages USING (segment, segment_value)
GROUP BY ALL
ORDER BY segment, segment_value, stage, channel, touchpoint;

COMMENT ON TABLE map_slices IS
    'one row per segment x segment_value x stage x channel x touchpoint: the map of every slice of the journeys';
COMMENT ON COLUMN map_slices.segment IS 'attribute the journeys were sliced by; all for none';
COMMENT ON COLUMN map_slices.segment_value IS 'value of that attribute; all for none';
COMMENT ON COLUMN map_slices.stage IS 'phase of the journey';
COMMENT ON COLUMN map_slices.channel IS 'where it happened';
COMMENT ON COLUMN map_slices.touchpoint IS 'what happened, in the map''s vocabulary';
COMMENT ON COLUMN map_slices.touchpoints IS 'how often it happened, in this stage and channel';
COMMENT ON COLUMN map_slices.journeys IS 'journeys in which it happened, in this stage and channel';
COMMENT ON COLUMN map_slices.examples IS 'five of them, the first by id, so that they stay the same';
