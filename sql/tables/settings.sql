-- grain: one row, the values the tables were computed with
CREATE TABLE settings AS
SELECT watermark, epoch(journey_gap) AS journey_gap_s, min_group
FROM lake.settings;

COMMENT ON TABLE settings IS 'one row: the values the tables were computed with';
COMMENT ON COLUMN settings.watermark IS
    'greatest event time accepted, or the declared as-of time, UTC';
COMMENT ON COLUMN settings.journey_gap_s IS 'a strictly longer silence closes a journey, seconds';
COMMENT ON COLUMN settings.min_group IS
    'segments of fewer customers are folded into one, KPIs of fewer are not published; 0 for all';
