-- grain: period x segment x measure; rows of `kpis` that `privacy.min_group` keeps from being published
-- Of what the files kpis_*.sql add only the figures of everybody over the whole time stay, where enough are counted:
-- nothing is left that a smaller part could be told from.
DELETE FROM kpis
WHERE
    (SELECT min_group FROM lake.settings) > 0
    AND measure NOT IN (
        'average_order_value', 'conversion_rate', 'customers', 'journeys_started', 'mature_conversion_rate',
        'orders', 'revenue', 'sessions'
    )
    AND (
        period <> 'all' OR segment <> 'all'
        OR coalesce(least(numerator, denominator), 0) < (SELECT min_group FROM lake.settings)
    );
