-- State of a customer in a period; periods are numbered in order of time: lifecycle(now, first_active, last_active, before_last).
--   Active in the period: new, if it is the first one; current, if active in the period before, too; returning, after one
--   period without a session; resurrected, after more. Not active: at_risk, if active in the period before; else dormant.
-- invariants: every customer seen by then has one state
CREATE MACRO lifecycle(now, first_active, last_active, before_last) AS
    CASE
        WHEN first_active = now THEN 'new'
        WHEN last_active = now AND before_last = now - 1 THEN 'current'
        WHEN last_active = now AND before_last = now - 2 THEN 'returning'
        WHEN last_active = now THEN 'resurrected'
        WHEN last_active = now - 1 THEN 'at_risk'
        ELSE 'dormant'
    END;

COMMENT ON MACRO lifecycle IS
    'state of a customer in a numbered period: new, current, returning, resurrected, at_risk or dormant';
