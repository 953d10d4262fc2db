-- grain: journey
-- invariants: journey_id is unique; outcome is converted exactly where converted is true;
--   an open journey is never counted as drop-off
-- The lake does not store the outcome, because it ages: a journey is open until the watermark lies
-- strictly more than the journey gap after its last touchpoint.
CREATE TABLE journeys AS
SELECT
    journey.*,
    CASE
        WHEN journey.converted THEN 'converted'
        WHEN settings.watermark - journey.ended_at > settings.journey_gap THEN 'lapsed'
        ELSE 'open'
    END AS outcome
FROM lake.journeys AS journey
CROSS JOIN lake.settings AS settings;

COMMENT ON COLUMN journeys.outcome IS
    'converted; lapsed (no conversion, quiet for over the journey gap); open (neither yet)';
