-- Where do most journeys end without a conversion?
-- grain: touchpoint
SELECT
    node AS touchpoint,
    drop_offs,
    visits - opens AS arrivals,
    drop_off_p,
    drop_off_low,
    drop_off_high
FROM stages
WHERE level = 'touchpoint' AND segment = 'all'
ORDER BY drop_offs DESC, touchpoint
LIMIT 10;
