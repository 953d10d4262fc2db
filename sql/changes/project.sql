-- grain: one row, how much more this version knows than the one before (database `before`)
SELECT
    (SELECT watermark FROM before.settings) AS watermark_before,
    (SELECT watermark FROM settings) AS watermark_now,
    (SELECT count(*) FROM before.touchpoints) AS touchpoints_before,
    (SELECT count(*) FROM touchpoints) AS touchpoints_now;
