-- Do journeys across several channels convert more often? (They are longer too: no proof of a cause.)
-- grain: number of channels
WITH ended AS (
    SELECT channels, outcome = 'converted' AS converted, touchpoints
    FROM journeys
    WHERE outcome <> 'open'
)

SELECT
    channels,
    count(*) AS ended_journeys,
    round(avg(touchpoints), 1) AS mean_touchpoints,
    count_if(converted) / count(*) AS conversion_rate,
    wilson_low(count_if(converted), count(*)) AS low,
    wilson_high(count_if(converted), count(*)) AS high
FROM ended
GROUP BY channels
ORDER BY channels;
