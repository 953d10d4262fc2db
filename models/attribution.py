"""Attribution: which touchpoints and channels the conversions came by.

Every conversion is one unit of credit, shared out among the touchpoints that came before it:

- ``first``, ``last``: all to the first or the last of them;
- ``linear``: in equal parts to all of them;
- ``removal_effect``: in proportion to the share of conversions that come by way of a node in the
  chain of all journeys, the lost ones included (`models.absorbing_chain`).

A path ends where the journey first converts: the conversion's own touchpoint and what follows it
(delivery, service) earn nothing, or else the checkout page would earn everything. Who converts at
once came by ``(direct)``. Lost journeys count to their end; journeys under way count up to there.

`count_paths` counts a bucket of customers into integers that can be added (`models.counts`):

===============  ================================================================================
measure          what `count` holds
===============  ================================================================================
moves            moves of the paths, from START to CONVERSION, DROP_OFF or OPEN
first, last      converted paths that begin, end with source_node
linear           visits to source_node of converted paths, `bin` the length of the path
..._value        the value of these journeys, in ten-thousandths, instead of their number
===============  ================================================================================

`credit` shares out exactly: credits are whole millionths of a conversion and ten-thousandths of a
currency unit, rounded by largest remainder, so every model's credits sum to the total to the last
digit.

All four describe who was there, not who caused it: removal effects follow frequency, and no model
can show a touchpoint that hurts.

References
----------
.. [1] E. Anderl, I. Becker, F. von Wangenheim, J. H. Schumann, "Mapping the customer journey",
   IJRM 33 (2016), 457-474.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.schemas import TABLES, table_schema
from models.absorbing_chain import START, AbsorbingChain
from models.counts import codes, counts_rows, merge_counts, starts, sum_by
from models.transition_counts import OUTCOMES, in_order, outcome_codes

__all__ = ["DIRECT", "count_paths", "credit"]

DIRECT = "(direct)"
"""Where a journey came from that converted with its first touchpoint."""

_LEVELS = ("touchpoint", "channel")
_MEASURES = ("moves", *(m + v for m in ("first", "last", "linear") for v in ("", "_value")))
_CREDIT_DIGITS, _VALUE_DIGITS = 6, 4
_CONVERTED = list(OUTCOMES).index("converted")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def count_paths(steps: pa.Table, journeys: pa.Table) -> pa.Table:
    """Count the paths to conversion of whole journeys of whole customers.

    Parameters
    ----------
    steps : pa.Table, rows of `touchpoints`
        In any order: journey_id, step, converts, and those of touchpoint and channel to credit.
    journeys : pa.Table
        The journeys of these steps, one row each: journey_id, outcome (converted, lapsed, open)
        and value (decimal; null is 0).

    Returns
    -------
    pa.Table of `models.counts.COUNTS_SCHEMA`
        To be added to those of other customers by `models.counts.merge_counts`.

    Raises
    ------
    ValueError
        If steps and journeys do not belong together, or a journey's outcome is not what its steps
        say.
    """
    levels = [name for name in _LEVELS if name in steps.column_names]
    columns = ["journey_id", "step", "converts", *levels]
    steps, journey, journeys = in_order(steps.select(columns), journeys)
    end = outcome_codes(journeys)
    converts = pc.fill_null(steps["converts"], False).to_numpy().astype(np.int64)
    before = np.cumsum(converts)
    first = np.flatnonzero(starts(journey))
    before -= (before - converts)[first][journey]
    if not np.array_equal(np.bincount(journey, converts, len(end)) > 0, end == _CONVERTED):
        raise ValueError("outcome must be 'converted' for journeys with a conversion, no others")
    kept = np.flatnonzero(before == 0)
    direct = np.flatnonzero(np.bincount(journey[kept], minlength=len(end)) == 0)
    owner = np.concatenate((journey[kept], direct))
    order = np.argsort(owner, kind="stable")
    value = pc.fill_null(journeys["value"].cast(pa.decimal128(18, _VALUE_DIGITS)), Decimal(0))
    units = pc.multiply(value, pa.scalar(10**_VALUE_DIGITS)).cast(pa.int64()).to_numpy()
    parts: list[pa.Table] = []
    for level in levels:
        node, nodes = codes(steps[level])
        texts = pa.concat_arrays([nodes, pa.array([DIRECT])])
        node = np.concatenate((node[kept], np.full(len(direct), len(nodes))))[order]
        parts += _count_level(level, (node, texts), owner[order], end, units)
    return merge_counts(parts)


def _count_level(
    level: str, path: tuple[Ints, pa.Array], journey: Ints, end: Ints, value: Ints
) -> Iterator[pa.Table]:
    node, nodes = path
    texts = pa.concat_arrays([nodes, pa.array([START, *OUTCOMES.values()])])
    width, begins = len(texts), starts(journey)
    last = np.roll(begins, -1)
    target = np.roll(node, -1)
    target[last] = len(nodes) + 1 + end
    entry = len(nodes) * width + node[begins]
    edges = np.concatenate((node * width + target, entry))
    edge, count = sum_by(edges, np.ones_like(edges))
    source, target = np.divmod(edge, width)
    yield counts_rows(level, "all", "moves", count, source=(source, texts), target=(target, texts))

    length = np.bincount(journey, minlength=len(end))
    converted = end[journey] == _CONVERTED
    for measure, chosen in (("first", begins), ("last", last), ("linear", converted)):
        at = np.flatnonzero(chosen & converted)
        owner = journey[at]
        size = length[owner] if measure == "linear" else np.zeros_like(owner)
        key = size * len(nodes) + node[at]
        for suffix, amount in (("", np.ones_like(owner)), ("_value", value[owner])):
            found, count = sum_by(key, amount)
            bins, credited = np.divmod(found, len(nodes))
            at_node = (credited, nodes)
            yield counts_rows(level, "all", measure + suffix, count, source=at_node, bins=bins)


def credit(counts: pa.Table) -> pa.Table:
    """Share out all conversions and their value, by every model, at every level.

    Parameters
    ----------
    counts : pa.Table
        From `count_paths`, merged.

    Returns
    -------
    pa.Table
        `attribution` of `contracts.schemas`, sorted by key. By model and level, conversions and
        value sum exactly to the totals. No rows without a conversion.
    """
    plain = counts.cast(pa.schema([(f.name, _plain(f.type)) for f in counts.schema]))
    rows: list[dict[str, Any]] = []
    for level in plain["level"].unique().to_pylist():
        rows += _credits(level, plain.filter(pc.equal(plain["level"], level)))
    keys = [(name, "ascending") for name in TABLES["attribution"].key]
    return pa.Table.from_pylist(rows, schema=table_schema("attribution")).sort_by(keys)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def _credits(level: str, counts: pa.Table) -> Iterator[dict[str, Any]]:
    by_measure = {m: counts.filter(pc.equal(counts["measure"], m)) for m in _MEASURES}
    moves = by_measure["moves"]
    ends = (moves["source_node"].to_pylist(), moves["target_node"].to_pylist())
    chain = AbsorbingChain(*ends, moves["count"].to_numpy())
    nodes = pa.array(chain.nodes[1:], pa.string())
    effect = chain.removal_effect[1:]
    total, value = (int(by_measure[m]["count"].to_numpy().sum()) for m in ("first", "first_value"))
    if not total:
        return

    def amounts(measure: str) -> Floats:
        rows = by_measure[measure]
        place = pc.index_in(rows["source_node"], value_set=nodes).to_numpy()
        parts = np.maximum(rows["bin"].to_numpy(), 1)
        return np.bincount(place, rows["count"].to_numpy() / parts, len(nodes)).astype(np.float64)

    shares = effect / effect.sum()
    models = {"removal_effect": (shares * total, shares * value)}
    for model in ("first", "last", "linear"):
        models[model] = (amounts(model), amounts(f"{model}_value"))
    for model, (conversions, values) in models.items():
        units = _whole(conversions * 10**_CREDIT_DIGITS, total * 10**_CREDIT_DIGITS)
        for node, unit, money in zip(chain.nodes[1:], units, _whole(values, value), strict=True):
            yield {
                "model": model,
                "level": level,
                "node": node,
                "credit": unit / (total * 10**_CREDIT_DIGITS),
                "conversions": Decimal(unit).scaleb(-_CREDIT_DIGITS),
                "value": Decimal(money).scaleb(-_VALUE_DIGITS),
            }


def _whole(amounts: Floats, total: int) -> list[int]:
    """Round amounts to whole numbers that sum to the total, by largest remainder."""
    whole = np.floor(amounts)
    order = np.argsort(whole - amounts, kind="stable")
    units = whole.astype(np.int64)
    each, rest = divmod(total - int(units.sum()), len(units))
    units += each
    units[order[:rest]] += 1
    return units.tolist()
