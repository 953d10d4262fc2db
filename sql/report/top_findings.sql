-- question: what should somebody who has one minute know?
-- grain: finding, the most useful first: what hurts, who converts unlike the others, where credit lies
WITH pains AS (
    SELECT 1 AS kind, rank, sentence FROM pain_points
),
decided AS (
    SELECT
        personas.name,
        personas.share,
        count(*) FILTER (journeys.outcome = 'converted') AS converted,
        count(*) FILTER (journeys.outcome <> 'open') AS ended
    FROM personas
    JOIN journey_personas USING (persona_id)
    JOIN journeys USING (journey_id)
    WHERE personas.grade <> 'none'
    GROUP BY ALL
),
overall AS (
    SELECT
        count(*) FILTER (outcome = 'converted') AS converted,
        count(*) FILTER (outcome <> 'open') AS ended
    FROM journeys
),
contrasts AS (
    SELECT
        2 AS kind,
        row_number() OVER (
            ORDER BY abs(decided.converted / decided.ended - overall.converted / overall.ended) DESC, name
        ) AS rank,
        format(
            '{:.1f}% of the {:,} ended journeys of persona ''{}'' converted (95% interval {:.1f}% to {:.1f}%), '
            || 'against {:.1f}% of all; the persona is about {:.0f}% of all customers.',
            100.0 * decided.converted / decided.ended,
            decided.ended,
            name,
            100.0 * wilson_low(decided.converted, decided.ended),
            100.0 * wilson_high(decided.converted, decided.ended),
            100.0 * overall.converted / overall.ended,
            100.0 * share
        ) AS sentence
    FROM decided, overall
    WHERE decided.ended >= 100
        AND (
            wilson_low(decided.converted, decided.ended) > overall.converted / overall.ended
            OR wilson_high(decided.converted, decided.ended) < overall.converted / overall.ended
        )
),
credits AS (
    SELECT
        3 AS kind,
        row_number() OVER (ORDER BY conversions DESC, node) AS rank,
        format(
            'By removal effect the {} ''{}'' is credited with {:.1f}% of {:,} converted journeys; '
            || 'that it goes with them does not mean that it causes them.',
            level, node, 100.0 * credit, overall.converted
        ) AS sentence
    FROM attribution, overall
    WHERE model = 'removal_effect' AND level = 'channel' AND node <> '(direct)'
)
SELECT sentence
FROM (
    SELECT kind, rank, sentence FROM pains
    UNION ALL SELECT kind, rank, sentence FROM contrasts
    UNION ALL SELECT kind, rank, sentence FROM credits
)
-- The first of each kind before the second of any, but all that hurts comes before what is merely so.
ORDER BY kind > 1, rank, kind;
