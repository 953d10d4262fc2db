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

COMMENT ON MACRO wilson_low IS '95% Wilson interval of the share k / n, low end';
COMMENT ON MACRO wilson_high IS '95% Wilson interval of the share k / n, high end';

-- 95% interval of the mean of n answers between 0 and 1, of their sum and the sum of their squares: mean_low(n, total, squares).
--   It is Wilson's with the number of yes-or-no answers that would be as uncertain; the variance is estimated with one
--   answer more, of the largest variance possible (models/intervals.py has the same, and says why).
-- invariants: 0 <= low <= total / n <= high <= 1; null where n is 0
CREATE MACRO worth_of_answers(n, total, squares) AS
    CASE
        WHEN total <= 0 OR total >= n THEN n
        ELSE n * (total / n) * (1 - total / n) * (n + 1) / (
            least(greatest(squares - total * total / n, 0), total * (1 - total / n)) + (total / n) * (1 - total / n)
        )
    END;

CREATE MACRO mean_low(n, total, squares) AS
    wilson_low(total / n * worth_of_answers(n, total, squares), worth_of_answers(n, total, squares));

CREATE MACRO mean_high(n, total, squares) AS
    wilson_high(total / n * worth_of_answers(n, total, squares), worth_of_answers(n, total, squares));

COMMENT ON MACRO worth_of_answers IS 'number of yes-or-no answers as uncertain as n answers between 0 and 1';
COMMENT ON MACRO mean_low IS '95% interval of the mean of answers between 0 and 1, low end';
COMMENT ON MACRO mean_high IS '95% interval of the mean of answers between 0 and 1, high end';
