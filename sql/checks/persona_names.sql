-- promise: No two personas share a name or a place, and their shares add up to one.
-- grain: persona, or all of them
SELECT format('{} personas are called ''{}''', count(*), name) AS problem
FROM personas
GROUP BY name
HAVING count(*) > 1
UNION ALL
SELECT format('{} personas stand at place {}', count(*), place)
FROM personas
GROUP BY place
HAVING count(*) > 1
UNION ALL
SELECT format('the shares of {} personas add up to {:.6f}', count(*), sum(share))
FROM personas
HAVING count(*) > 0 AND abs(sum(share) - 1) > 1e-4;
