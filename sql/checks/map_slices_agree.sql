-- promise: The map of all journeys, as sliced, holds what the map's cells hold; no slice holds more.
-- grain: stage x channel x touchpoint of a slice
SELECT
    format(
        '{} in {} by {} ({} = {}): {:,} in the slice, {:,} in the map',
        touchpoint, stage, channel, segment, segment_value,
        coalesce(map_slices.touchpoints, 0), coalesce(map_cells.touchpoints, 0)
    ) AS problem
FROM map_slices
LEFT JOIN map_cells USING (stage, channel, touchpoint)
WHERE
    map_slices.touchpoints > coalesce(map_cells.touchpoints, 0)
    OR (segment = 'all' AND map_slices.touchpoints <> map_cells.touchpoints);
