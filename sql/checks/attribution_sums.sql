-- promise: Every model of attribution shares out all conversions and their value, no more and no less.
-- grain: model x level
SELECT
    model,
    level,
    format(
        'model {}, level {}: credits sum to {:.6f}, conversions to {:.3f} of {:,}, value to {:.4f} of {:.4f}',
        model, level, credit, credited, converted, valued, value
    ) AS problem
FROM (
    SELECT
        model,
        level,
        coalesce(sum(credit), 0) AS credit,
        coalesce(sum(conversions), 0) AS credited,
        coalesce(sum(value), 0)::DOUBLE AS valued,
        (SELECT count(*) FROM journeys WHERE outcome = 'converted') AS converted,
        (SELECT coalesce(sum(value), 0)::DOUBLE FROM journeys WHERE outcome = 'converted') AS value
    FROM attribution
    GROUP BY ALL
)
WHERE
    abs(credited - converted) > 1e-6 * greatest(1, converted)
    OR abs(valued - value) > 1e-6 * greatest(1, abs(value))
    OR (converted > 0 AND abs(credit - 1) > 1e-6);
