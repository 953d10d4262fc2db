-- grain: measure x unit, over all journeys, in the version before (database `before`) and in this one
SELECT
    measure,
    unit,
    old.value AS value_before,
    old.low AS low_before,
    old.high AS high_before,
    new.value AS value_now,
    new.low AS low_now,
    new.high AS high_now
FROM kpis AS new
JOIN before.kpis AS old USING (period, segment, segment_value, measure, unit)
WHERE new.period = 'all' AND new.segment = 'all'
ORDER BY measure, unit;
