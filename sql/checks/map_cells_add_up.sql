-- promise: The cells of the journey map hold every touchpoint once.
-- grain: the map
SELECT format('the map holds {:,} touchpoints of {:,}', mapped, happened) AS problem
FROM (
    SELECT
        (SELECT coalesce(sum(touchpoints), 0)::BIGINT FROM map_cells) AS mapped,
        (SELECT count(*) FROM touchpoints) AS happened
)
WHERE mapped <> happened;
