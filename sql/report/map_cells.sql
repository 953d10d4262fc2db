-- grain: slice x stage x channel x touchpoint, commonest first
SELECT segment, segment_value, stage, channel, touchpoint, touchpoints, journeys, examples
FROM map_slices
ORDER BY segment <> 'all', segment, segment_value, touchpoints DESC, stage, channel, touchpoint;
