-- grain: touchpoint, START, CONVERSION, DROP_OFF, OPEN
-- invariants: letters are unique, and none means anything in a regular expression
-- One letter a touchpoint makes a journey one short text, which SQL slices, counts and matches fast.
CREATE TABLE journey_letters AS
WITH numbered AS (
    SELECT touchpoint, row_number() OVER (ORDER BY touchpoint) AS n
    FROM (SELECT DISTINCT touchpoint FROM touchpoints)
)

SELECT
    touchpoint,
    -- A to Z, a to z, then 20,000 signs that have one code point each
    chr((CASE WHEN n <= 26 THEN 64 + n WHEN n <= 52 THEN 70 + n ELSE 19915 + n END)::INTEGER) AS letter
FROM numbered
UNION ALL
FROM (VALUES ('START', '<'), ('CONVERSION', '>'), ('DROP_OFF', '!'), ('OPEN', '~'));

COMMENT ON TABLE journey_letters IS
    'one row per touchpoint, START and end of a journey: its letter in journey_walks; key: touchpoint';
COMMENT ON COLUMN journey_letters.touchpoint IS 'touchpoint, or START, CONVERSION, DROP_OFF, OPEN';
COMMENT ON COLUMN journey_letters.letter IS
    'one letter; it may change when touchpoints come or go, so ask for it by name';

-- letter_of('purchase'): its letter; an unknown name is an error that names the nearest.
CREATE MACRO letter_of(name) AS coalesce(
    (SELECT letter FROM journey_letters WHERE touchpoint = name),
    error(format(
        'no touchpoint is called ''{}''; did you mean ''{}''? The table journey_letters lists all.',
        coalesce(name, 'NULL'),
        (SELECT arg_max(touchpoint, (jaro_winkler_similarity(touchpoint, coalesce(name, '')), touchpoint)) FROM journey_letters)
    ))
);

COMMENT ON MACRO letter_of IS
    'letter of a touchpoint in journey_walks; an unknown name is an error that names the nearest';

-- letter_of_touchpoint('purchase'): the same, but START and the ends of journeys are an error, too.
CREATE MACRO letter_of_touchpoint(name) AS
    CASE
        WHEN name IN ('START', 'CONVERSION', 'DROP_OFF', 'OPEN')
            THEN error(format('''{}'' is no touchpoint: it is where journeys begin or end', name))
        ELSE letter_of(name)
    END;

COMMENT ON MACRO letter_of_touchpoint IS
    'letter of a touchpoint in journey_walks; START and the ends of journeys are an error, as are unknown names';

-- names_of('<AB>'): the touchpoints of some letters, joined by ' > '.
CREATE MACRO names_of(letters) AS (
    SELECT string_agg(touchpoint, ' > ' ORDER BY n)
    FROM (
        SELECT unnest(string_split(letters, '')) AS letter, generate_subscripts(string_split(letters, ''), 1) AS n
    )
    JOIN journey_letters USING (letter)
);

COMMENT ON MACRO names_of IS 'touchpoints of the letters of a walk, joined by '' > ''';
