-- promise: Every model of attribution shares out all conversions, no more and no fewer.
-- grain: model x level
SELECT
    model,
    level,
    format(
        'model {}, level {}: credits sum to {:.6f}, conversions to {:.3f} of {:,}',
        model, level, credit, credited, converted
    ) AS problem
FROM (
    SELECT
        model,
        level,
        coalesce(sum(credit), 0) AS credit,
        coalesce(sum(conversions), 0) AS credited,
        (SELECT count(*) FROM journeys WHERE outcome = 'converted') AS converted
    FROM attribution
    GROUP BY ALL
)
WHERE
    abs(credited - converted) > 1e-6 * greatest(1, converted)
    OR (converted > 0 AND abs(credit - 1) > 1e-6);
