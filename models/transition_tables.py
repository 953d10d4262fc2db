"""The stage-transition graph as two tables: every node and every move, with rates and intervals.

`finish` reads merged counts (`models.transition_counts`) for every slice, that is every level,
segment and value:

- `transitions`: the share of departures from a node that took a move. Moves to OPEN, which say
  that a journey is still under way, are in no denominator and have no share.
- `stages`: what passes through a node, how long it stays, what it says, and where it ends.

Rates carry Wilson intervals, satisfaction the interval of `models.intervals.mean_interval`, dwell
times are quantiles within 1% (`models.dwell`), and the chance to convert is the absorbing chain's
(`models.absorbing_chain`). What can't be known is null: a rate out of nothing, a dwell time at a
last step, satisfaction where nobody answered.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.schemas import table_schema
from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN, START, AbsorbingChain
from models.counts import codes, merge_counts, starts, sum_by
from models.dwell import grouped_quantiles
from models.intervals import mean_interval, wilson_interval
from models.transition_counts import CSAT_UNIT

__all__ = ["finish"]

_SLICE = ("level", "segment", "segment_value")
_QUANTILES = {"dwell_p10_s": 0.1, "dwell_p50_s": 0.5, "dwell_p90_s": 0.9}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def finish(
    counts: pa.Table, min_customers: int = 1, conversions: Collection[str] = ()
) -> tuple[pa.Table, pa.Table]:
    """Read merged counts as the tables `stages` and `transitions`.

    Parameters
    ----------
    counts : pa.Table
        From `merge_counts`.
    min_customers : int
        Slices with fewer customers are left out (privacy).
    conversions : collection of str
        Touchpoints that are conversions: who reaches one has converted, whatever follows, so their
        conversion probability is 1.

    Returns
    -------
    stages, transitions : pa.Table
        In the schemas of `contracts.schemas`, rows sorted by key. Rates come with 95% Wilson
        intervals and leave OPEN out of the denominator; they are null where the denominator is 0.
        Conversion probabilities are those of the absorbing chain, to 12 decimals.

    Raises
    ------
    ValueError
        If arrivals and departures differ at a node: these are no counts of whole journeys.
    """
    read = _Reader(merge_counts([counts]), min_customers)
    edge, _, count = read.rows("moves")
    leaving, target = np.divmod(edge, read.width)
    slice_, source = np.divmod(leaving, read.width)
    key, _, journeys = read.rows("node_journeys")
    inner = key // read.width % read.width != read.code(START)
    at_node = key[inner] // read.width
    of_node, node = np.divmod(at_node, read.width)
    visits = _at(at_node, *sum_by(slice_ * read.width + target, count))
    if not np.array_equal(visits, _at(at_node, *sum_by(leaving, count))):
        raise ValueError("arrivals and departures differ: these are no counts of whole journeys")

    to_open = target == read.code(OPEN)
    denominator = _at(leaving, *sum_by(leaving, np.where(to_open, 0, count)))
    dwell, bins, waits = read.rows("dwell")
    transitions = {
        **read.slice_columns(slice_),
        "source_node": read.texts.take(pa.array(source)),
        "target_node": read.texts.take(pa.array(target)),
        "count": count,
        "journeys": read.rows("move_journeys")[2],
        "customers": read.rows("move_customers")[2],
        "denominator": denominator,
        **_rate("probability", count, np.where(to_open, 0, denominator)),
        **_dwell_columns(edge, dwell, bins, waits),
    }

    drops, opens = (
        _at(at_node, leaving[target == read.code(end)], count[target == read.code(end)])
        for end in (DROP_OFF, OPEN)
    )
    answers, total, squares = (
        _at(at_node, key // read.width, amount)
        for key, _, amount in map(read.rows, ("csat_answers", "csat_sum", "csat_squares"))
    )
    csat, csat_low, csat_high = mean_interval(answers, total / CSAT_UNIT, squares / CSAT_UNIT)
    stages = {
        **read.slice_columns(of_node),
        "node": read.texts.take(pa.array(node)),
        "visits": visits,
        "journeys": journeys[inner],
        "customers": read.rows("node_customers")[2][inner],
        **_dwell_columns(at_node, dwell // read.width, bins, waits),
        "csat": csat,
        "csat_answers": answers,
        "csat_low": csat_low,
        "csat_high": csat_high,
        "conversion_p": read.conversion_p(slice_, source, target, count, conversions),
        "drop_offs": drops,
        "opens": opens,
        **_rate("drop_off", drops, visits - opens, suffix="_p"),
    }
    return _table("stages", stages), _table("transitions", transitions)


class _Reader:
    """Merged counts as integer keys (slice, source, target) in mixed radix, ascending."""

    def __init__(self, counts: pa.Table, min_customers: int) -> None:
        n = counts.num_rows
        ends = counts["source_node"].chunks + counts["target_node"].chunks
        node, self.texts = codes(pa.chunked_array(ends, counts.schema.field("source_node").type))
        self.width = max(len(self.texts), 1)
        parts = [codes(counts[name]) for name in _SLICE]
        of_row, shape = [part for part, _ in parts], [max(len(texts), 1) for _, texts in parts]
        slices, slice_ = np.unique(np.ravel_multi_index(of_row, shape), return_inverse=True)
        places = np.unravel_index(slices, shape)
        self._slices = [
            texts.take(pa.array(place)) for place, (_, texts) in zip(places, parts, strict=True)
        ]
        self._key = (slice_ * self.width + node[:n]) * self.width + node[n:]
        self._bin = counts["bin"].to_numpy().astype(np.int64)
        self._count = counts["count"].to_numpy()
        measure, measures = codes(counts["measure"])
        self._rows = {name: measure == i for i, name in enumerate(measures.to_pylist())}
        key, _, customers = self.rows("node_customers")
        everybody = key // self.width % self.width == self.code(START)
        known = _at(slice_, key[everybody] // self.width**2, customers[everybody])
        self._rows = {name: at & (known >= min_customers) for name, at in self._rows.items()}

    def code(self, name: str) -> int:
        """Code of a node; -1 if no row names it."""
        return int(pc.index(self.texts, name).as_py())

    def rows(self, measure: str) -> tuple[Ints, Ints, Ints]:
        """Keys, bins and counts of one measure."""
        at = self._rows.get(measure, np.zeros(len(self._key), dtype=bool))
        return self._key[at], self._bin[at], self._count[at]

    def slice_columns(self, slice_: Ints) -> dict[str, pa.Array]:
        places = pa.array(slice_)
        return {n: texts.take(places) for n, texts in zip(_SLICE, self._slices, strict=True)}

    def conversion_p(
        self, slice_: Ints, source: Ints, target: Ints, count: Ints, conversions: Collection[str]
    ) -> Floats:
        """P(conversion) of the nodes of every slice, in their order."""
        names = self.texts.to_numpy(zero_copy_only=False).astype(object)
        converting = np.isin(source, [self.code(name) for name in conversions])
        levels = self.slice_columns(slice_)["level"]
        converting &= pc.equal(levels, "touchpoint").to_numpy(zero_copy_only=False)
        reached = np.where(converting, CONVERSION, names[target])
        bounds = np.append(np.flatnonzero(starts(slice_)), len(slice_))
        found = [np.zeros(0)]
        for low, high in pairwise(bounds):
            part = slice(low, high)
            chain = AbsorbingChain(
                names[source[part]].tolist(), reached[part].tolist(), count[part]
            )
            found.append(chain.conversion_p[1:].round(12))
        return np.concatenate(found)


def _at(wanted: Ints, keys: Ints, values: Ints, missing: int = 0) -> Ints:
    """Values of the wanted keys; `keys` ascend."""
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    if not len(keys):
        return np.full(len(wanted), missing)
    return np.where(keys[place] == wanted, values[place], missing)


def _rate(name: str, count: Ints, denominator: Ints, suffix: str = "") -> dict[str, Floats]:
    """Give a rate and its 95% interval; null where the denominator is 0."""
    rate = np.divide(count, denominator, out=np.full(len(count), np.nan), where=denominator > 0)
    low, high = wilson_interval(count, denominator)
    return {f"{name}{suffix}": rate, f"{name}_low": low, f"{name}_high": high}


def _dwell_columns(row: Ints, key: Ints, bins: Ints, count: Ints) -> dict[str, Floats]:
    """Dwell quantiles of each row's key; null where no wait is known."""
    groups, seconds = grouped_quantiles(key, bins, count, tuple(_QUANTILES.values()))
    place = _at(row, groups, np.arange(len(groups)), missing=-1)
    seconds = np.vstack((seconds, np.full((1, len(_QUANTILES)), np.nan)))[place]
    return dict(zip(_QUANTILES, seconds.T, strict=True))


def _table(name: str, columns: dict[str, Any]) -> pa.Table:
    schema = table_schema(name)
    arrays = [pa.array(columns[f.name], f.type, from_pandas=True) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
