-- 95% Wilson score interval of the share k / n (Wilson 1927): wilson_low(k, n), wilson_high(k, n).
-- invariants: 0 <= low <= k / n <= high <= 1; null where n is 0
CREATE MACRO wilson_low(k, n) AS
    CASE WHEN n > 0 THEN greatest(0.0, (
        k / n + 1.9207294 / n
        - 1.959964 * sqrt(greatest(0.0, (k / n) * (1 - k / n) / n + 0.9603647 / n / n))
    ) / (1 + 3.8414588 / n)) END;

CREATE MACRO wilson_high(k, n) AS
    CASE WHEN n > 0 THEN least(1.0, (
        k / n + 1.9207294 / n
        + 1.959964 * sqrt(greatest(0.0, (k / n) * (1 - k / n) / n + 0.9603647 / n / n))
    ) / (1 + 3.8414588 / n)) END;
