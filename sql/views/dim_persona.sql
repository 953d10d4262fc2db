-- grain: persona, and two that stand for having none
-- invariants: every persona_id of a fact is here
-- example: SELECT name, count(*) AS journeys FROM fct_journey JOIN dim_persona USING (persona_id) GROUP BY ALL ORDER BY journeys DESC
CREATE VIEW dim_persona AS
SELECT persona_id, name, place, grade, share, share_low, share_high, portrait FROM personas
UNION ALL
SELECT persona_id, name, NULL, NULL, NULL, NULL, NULL, portrait
FROM (VALUES
    ('undetermined', 'Undetermined', 'Too short or too unsure to be told.'),
    ('none', 'Not looked at', 'No persona was sought for it.')
) AS others (persona_id, name, portrait)
WHERE persona_id NOT IN (SELECT persona_id FROM personas);

COMMENT ON VIEW dim_persona IS 'one row per persona, ''undetermined'' and ''none''; key: persona_id';
COMMENT ON COLUMN dim_persona.persona_id IS 'p1, p2 ..., no_structure; undetermined; none if none was sought';
COMMENT ON COLUMN dim_persona.name IS 'short name, unique';
COMMENT ON COLUMN dim_persona.place IS '1 is the largest by share; null for those that are no persona';
COMMENT ON COLUMN dim_persona.grade IS 'how firm it is: strong, usable, tentative, none';
COMMENT ON COLUMN dim_persona.share IS 'share of all customers: their mean posterior';
COMMENT ON COLUMN dim_persona.share_low IS '95% interval, low end';
COMMENT ON COLUMN dim_persona.share_high IS '95% interval, high end';
COMMENT ON COLUMN dim_persona.portrait IS 'what it is, in sentences';
