"""The stage-transition graph as two tables: every node and every move, with rates and intervals.

`finish` reads merged counts (`models.transition_counts`) for every slice, that is every level,
segment and value:

- `transitions`: the share of departures from a node that took a move. Moves to OPEN, which say
  that a journey is still under way, are in no denominator and have no share.
- `stages`: what passes through a node, how long it stays, what it says, and where it ends.

Rates carry Wilson intervals, satisfaction the interval of `models.intervals.mean_interval`
(`models.satisfaction`), dwell times are quantiles within 1% (`models.dwell`), and the chance to
convert is the absorbing chain's over the settled moves (`models.node_conversion`), which both tables
tell in the column `settled`. What can't be known is null: a rate out of nothing, a dwell time at a
last step, satisfaction where nobody answered, conversion where nothing is settled yet.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from contracts.schemas import table_schema
from models.absorbing_chain import DROP_OFF, OPEN, START
from models.counts import codes, encode, merge_counts, starts, sum_by
from models.dwell import grouped_quantiles
from models.intervals import wilson_interval
from models.node_conversion import Moves, node_conversions
from models.satisfaction import ANSWERS, score_columns
from models.transition_counts import TURN

__all__ = ["finish"]

_SLICE = ("level", "segment", "segment_value")
_CHAIN = {
    "conversion_p": "p",
    "conversion_low": "low",
    "conversion_high": "high",
    "steps_to_conversion": "steps",
    "time_to_conversion_s": "time_s",
}
_QUANTILES = {"dwell_p10_s": 0.1, "dwell_p50_s": 0.5, "dwell_p90_s": 0.9}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def finish(counts: pa.Table, min_customers: int = 1) -> tuple[pa.Table, pa.Table]:
    """Read counts as the tables `stages` and `transitions`.

    Parameters
    ----------
    counts : pa.Table
        Of all customers; rows of equal keys are added.
    min_customers : int
        Slices with fewer customers are left out (privacy).

    Returns
    -------
    stages, transitions : pa.Table
        In the schemas of `contracts.schemas`, rows sorted by key. Rates come with 95% Wilson
        intervals and leave OPEN out of the denominator; they are null where the denominator is 0.
        What the chain gives is rounded to 12 digits.

    Raises
    ------
    ValueError
        If arrivals and departures differ at a node: these are no counts of whole journeys.
    """
    measure, measures = encode(counts["measure"])
    turning = pa.array(measure == pc.index(measures, "turns").as_py())
    turns = merge_counts([counts.filter(turning)])
    read = _Reader(counts.filter(pc.invert(turning)), min_customers)
    moved, _, count = read.rows("moves")
    settled_edge, settled = sum_by(*read.rows("settled")[::2])
    edge = np.union1d(moved, settled_edge)
    leaving, target = np.divmod(edge, read.width)
    slice_, source = np.divmod(leaving, read.width)
    count = _at(edge, moved, count)
    key, _, journeys = read.rows("node_journeys")
    inner = key // read.width % read.width != read.code(START)
    at_node, journeys = key[inner] // read.width, journeys[inner]
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
        "journeys": _at(edge, *read.rows("move_journeys")[::2]),
        "customers": _at(edge, *read.rows("move_customers")[::2]),
        "denominator": denominator,
        **_rate("probability", count, np.where(to_open, 0, denominator)),
        **_dwell_columns(edge, dwell, bins, waits),
        "settled": _at(edge, settled_edge, settled),
    }

    def of_nodes(measure: str) -> Ints:
        key, _, amount = read.rows(measure)
        return _at(at_node, key // read.width, amount)

    drops, opens = (
        _at(at_node, leaving[target == read.code(end)], count[target == read.code(end)])
        for end in (DROP_OFF, OPEN)
    )
    stages = {
        **read.slice_columns(of_node),
        "node": read.texts.take(pa.array(node)),
        "visits": visits,
        "journeys": journeys,
        "customers": of_nodes("node_customers"),
        **_dwell_columns(at_node, dwell // read.width, bins, waits),
        "settled": _at(at_node, *sum_by(settled_edge // read.width, settled)),
        "settled_converted": of_nodes("settled_won"),
        **_conversion_columns(read, turns, at_node),
        "drop_offs": drops,
        "opens": opens,
        **_rate("drop_off", drops, visits - opens, suffix="_p"),
    }
    for name in ANSWERS:
        sums = {kind: of_nodes(f"{name}_{kind}") for kind in ("answers", "sum", "squares")}
        stages |= score_columns(name, sums)
    for name in ("return", "contact"):
        followed = of_nodes(f"{name}_journeys")
        stages |= {f"{name}_journeys": followed, **_rate(name, followed, journeys, suffix="_p")}
    return _table("stages", stages), _table("transitions", transitions)


def _conversion_columns(read: _Reader, turns: pa.Table, at_node: Ints) -> dict[str, Any]:
    """What the chains of the slices say of their nodes; second order only for all journeys."""
    names = read.texts.to_pylist()
    key, group, count = read.rows("settled")
    edge_ms, ms = read.rows("settled_ms")[::2]
    edge, total = sum_by(key, count)
    wait_s = _at(key, edge_ms, ms) / 1000 / np.maximum(_at(key, edge, total), 1)
    leaving, target = np.divmod(key, read.width)
    slice_, source = np.divmod(leaving, read.width)
    moves = Moves(source, target, group, count, wait_s)
    columns = {name: np.full(len(at_node), np.nan) for name in _CHAIN}
    columns["chain_order"] = np.zeros(len(at_node), np.int32)
    bounds = np.append(np.flatnonzero(starts(slice_)), len(slice_))
    for low, high in pairwise(bounds if len(slice_) else ()):
        part = Moves(*(getattr(moves, f)[low:high] for f in Moves.__dataclass_fields__))
        level, segment, _ = (v[0].as_py() for v in read.slice_columns(slice_[[low]]).values())
        of_level = turns.filter(pc.equal(turns["level"].cast(pa.string()), level))
        pairs = _turns(of_level, names, part) if segment == "all" else None
        found = node_conversions(names, part, pairs)
        wanted = slice_[low] * read.width + pc.index_in(
            pa.array(found.nodes[1:], pa.string()), value_set=read.texts
        ).to_numpy(zero_copy_only=False).astype(np.int64)
        row = np.searchsorted(at_node, wanted)
        columns["chain_order"][row] = found.order
        for name, attribute in _CHAIN.items():
            columns[name][row] = getattr(found, attribute)[1:].round(12)
    return columns


def _turns(turns: pa.Table, names: list[str], moves: Moves) -> tuple[Ints, Moves]:
    """Moves by two nodes, in the codes of `names`; waits are those of the moves by one."""
    code = {name: i for i, name in enumerate(names)}
    pair, pairs = encode(turns["source_node"])
    split = [text.split(TURN) for text in pairs.to_pylist()]
    ends = np.array([[code[a], code[b]] for a, b in split], np.int64).reshape(-1, 2)
    before, source = ends[pair].T
    goal, goals = encode(turns["target_node"])
    target = np.array([code[text] for text in goals.to_pylist()], np.int64)[goal]
    width = len(names)
    edges, first = np.unique(moves.source * width + moves.target, return_index=True)
    place = np.minimum(np.searchsorted(edges, source * width + target), len(edges) - 1)
    group = turns["bin"].to_numpy().astype(np.int64)
    return before, Moves(
        source, target, group, turns["count"].to_numpy(), moves.wait_s[first[place]]
    )


class _Reader:
    """Counts as integer keys (slice, source, target) in mixed radix, ascending."""

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
        """Keys, bins and counts of one measure, each pair of key and bin once."""
        at = self._rows.get(measure, np.zeros(len(self._key), dtype=bool))
        key, bins, count = self._key[at], self._bin[at], self._count[at]
        deep = int(bins.max(initial=0)) + 1
        place = key * deep + bins
        if (place[1:] > place[:-1]).all():  # merged already
            return key, bins, count
        place, count = sum_by(place, count)
        return *np.divmod(place, deep), count

    def slice_columns(self, slice_: Ints) -> dict[str, pa.Array]:
        places = pa.array(slice_)
        return {n: texts.take(places) for n, texts in zip(_SLICE, self._slices, strict=True)}


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
