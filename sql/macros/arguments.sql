-- A number that a macro is given, if it is whole and no smaller than allowed: at_least('steps', steps, 1).
-- invariants: gives the number itself; anything else is an error that says what was found and what is allowed
CREATE MACRO at_least(name, number, least) AS
    CASE
        WHEN number >= least AND number = floor(number) THEN number::BIGINT
        ELSE error(format('{} is {}; it must be a whole number, {} or more', name, coalesce(number::VARCHAR, 'NULL'), least))
    END;

COMMENT ON MACRO at_least IS 'the number itself, if it is whole and at least so large; anything else is an error';

-- Whether two days are the ends of a span: is_span('a', first_day, last_day).
CREATE MACRO is_span(name, first_day, last_day) AS
    CASE
        WHEN first_day::DATE <= last_day::DATE THEN true
        ELSE error(format(
            'period {} runs from {} to {}; it needs two days, of which the first is not after the last',
            name,
            coalesce(first_day::VARCHAR, 'NULL'),
            coalesce(last_day::VARCHAR, 'NULL')
        ))
    END;

COMMENT ON MACRO is_span IS 'true for two days in their order; anything else is an error';
