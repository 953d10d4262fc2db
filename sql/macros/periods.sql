-- Length of a day, week, month, quarter or year: period_length('week').
CREATE MACRO period_length(unit) AS
    CASE unit
        WHEN 'day' THEN INTERVAL 1 DAY
        WHEN 'week' THEN INTERVAL 7 DAY
        WHEN 'month' THEN INTERVAL 1 MONTH
        WHEN 'quarter' THEN INTERVAL 3 MONTH
        WHEN 'year' THEN INTERVAL 1 YEAR
        ELSE error(concat('no period is called ''', unit, '''; use day, week, month, quarter or year'))
    END;

COMMENT ON MACRO period_length IS 'length of a day, week, month, quarter or year as an interval';

-- The unit itself, if it is one: period_name('week').
CREATE MACRO period_name(unit) AS CASE WHEN period_length(unit) IS NOT NULL THEN concat(unit) END;

COMMENT ON MACRO period_name IS 'day, week, month, quarter or year as it is given; anything else is an error';

-- First day of the period a moment lies in: period_start('week', first_day, moment); of the period 'all' it is first_day.
CREATE MACRO period_start(unit, first_day, moment) AS
    CASE unit WHEN 'all' THEN first_day ELSE date_trunc(unit, moment)::DATE END;

COMMENT ON MACRO period_start IS 'first day of the day, week, month, quarter or year a moment lies in; of ''all'', the day given';
