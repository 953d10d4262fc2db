-- grain: journey that the page shows: 400 drawn by a hash of their ids, the last twenty of each customer of
--   drawn_customers, and those that findings, personas and the map name as examples; at most 2,500, the first forty
--   steps of each
WITH named AS (
    SELECT journey_id, 1 AS reason FROM pain_point_journeys
    UNION ALL
    SELECT unnest([medoid_journey_id, exemplar_2_journey_id, exemplar_3_journey_id]), 1 FROM personas
    UNION ALL
    SELECT unnest(examples), CASE segment WHEN 'all' THEN 4 ELSE 5 END FROM map_slices
    UNION ALL
    SELECT journey_id, 2 FROM (FROM journeys ORDER BY md5(journey_id) LIMIT 400)
    UNION ALL
    SELECT journey_id, 3
    FROM (
        FROM journeys
        SEMI JOIN drawn_customers USING (customer_id)
        QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY started_at DESC, journey_id) <= 20
    )
),

chosen AS (
    SELECT journey_id, min(reason) AS reason, bool_or(reason = 2) AS drawn
    FROM named
    WHERE journey_id IS NOT NULL
    GROUP BY journey_id
    ORDER BY reason, md5(journey_id)
    LIMIT 2500
),

walked AS (
    SELECT
        journey_id,
        list(touchpoint ORDER BY step) AS walked_touchpoints,
        list(channel ORDER BY step) AS walked_channels,
        list(stage ORDER BY step) AS walked_stages,
        list(dwell_s ORDER BY step) AS dwells,
        list(converts ORDER BY step) AS converts
    FROM journey_steps
    SEMI JOIN chosen USING (journey_id)
    WHERE step <= 40
    GROUP BY journey_id
)

SELECT
    journeys.journey_id,
    journeys.customer_id,
    journeys.started_at,
    journeys.outcome,
    journeys.value,
    journeys.touchpoints AS steps,
    coalesce(journey_personas.persona_id, 'none') AS persona_id,
    chosen.drawn,
    walked.walked_stages,
    walked.walked_channels,
    walked.walked_touchpoints,
    walked.dwells,
    walked.converts
FROM chosen
JOIN journeys USING (journey_id)
JOIN walked USING (journey_id)
LEFT JOIN journey_personas USING (journey_id)
ORDER BY chosen.drawn DESC, md5(journey_id);
