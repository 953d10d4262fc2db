-- grain: journey
-- invariants: journey_id is unique; as many rows as `journeys`; is_converted + is_lapsed + is_open = 1
-- comments: journeys
-- example: SELECT entry_channel, sum(is_converted) / nullif(sum(is_converted + is_lapsed), 0) AS conversion_rate FROM fct_journey GROUP BY entry_channel ORDER BY entry_channel
CREATE VIEW fct_journey AS
SELECT
    journeys.* EXCLUDE (converted),
    started_at::DATE AS started_date,
    coalesce(journey_personas.persona_id, 'none') AS persona_id,
    converted::INTEGER AS is_converted,
    (outcome = 'lapsed')::INTEGER AS is_lapsed,
    (outcome = 'open')::INTEGER AS is_open,
    epoch_us(converted_at - started_at) / 1e6 AS time_to_convert_s
FROM journeys
LEFT JOIN journey_personas USING (journey_id);

COMMENT ON VIEW fct_journey IS
    'one row per journey; key: journey_id; to dim_customer, dim_date (started_date), dim_persona, dim_touchpoint (entry_touchpoint, exit_touchpoint)';
COMMENT ON COLUMN fct_journey.outcome IS
    'converted; lapsed (no conversion, quiet for over the journey gap); open (neither yet)';
COMMENT ON COLUMN fct_journey.started_date IS 'day of started_at, UTC (dim_date)';
COMMENT ON COLUMN fct_journey.persona_id IS 'persona of the journey; none if none was sought (dim_persona)';
COMMENT ON COLUMN fct_journey.is_converted IS '1 if it converted, else 0';
COMMENT ON COLUMN fct_journey.is_lapsed IS '1 if it lapsed, else 0';
COMMENT ON COLUMN fct_journey.is_open IS '1 if it is open, else 0; leave open journeys out of rates';
COMMENT ON COLUMN fct_journey.time_to_convert_s IS 'first touchpoint to first conversion, seconds; null for none';
