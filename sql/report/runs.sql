-- grain: stage of the newest run, in order
SELECT stage, started_at, duration_s, rows, bytes, peak_memory_mb, skipped
FROM runs
WHERE run_id = (SELECT max(run_id) FROM runs)
ORDER BY started_at, stage;
