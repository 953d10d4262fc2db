-- grain: model x level x node, most credited first
SELECT model, level, node, credit, credit_low, credit_high, conversions, value, journeys, lift, lift_low, lift_high
FROM attribution
ORDER BY level, model, credit DESC, node;
