-- grain: segment x segment_value, a slice of the journeys that the graph was built for, 'all' among them
-- invariants: 'all' is first; of a segment, the largest slice is first, of periods the earliest
-- example: SELECT segment_value, journeys FROM slices WHERE segment = 'entry_channel'
CREATE VIEW slices AS
SELECT
    segment,
    segment_value,
    sum(count)::BIGINT AS journeys,
    row_number() OVER (
        PARTITION BY segment
        ORDER BY
            CASE WHEN segment IN ('week', 'month', 'quarter', 'year') THEN 0 ELSE -sum(count) END,
            segment_value
    ) AS place,
    count(*) OVER (PARTITION BY segment) AS places
FROM transitions
WHERE level = 'stage' AND source_node = 'START'
GROUP BY segment, segment_value
ORDER BY segment <> 'all', segment, place;

COMMENT ON VIEW slices IS
    'one row per slice of the journeys that stages, transitions and the map are told for; key: segment, segment_value';
COMMENT ON COLUMN slices.segment IS 'attribute the journeys were sliced by; all for none';
COMMENT ON COLUMN slices.segment_value IS 'value of that attribute; all for none';
COMMENT ON COLUMN slices.journeys IS 'journeys in the slice';
COMMENT ON COLUMN slices.place IS '1-based place within the segment: the largest first, periods by time';
COMMENT ON COLUMN slices.places IS 'slices of the segment';
