"""Attribution: which touchpoints, channels and campaigns the conversions came by.

Every conversion is one unit of credit, and so is its value. `models.attribution_paths` says what a
path is and how six models share it out; the seventh, ``removal_effect``, shares all conversions in
proportion to the part of them that would be lost if every arrival at a node were a drop-off, in the
chain of all paths, lost ones included (`models.absorbing_chain`), for all nodes at once. Under the
transform ``frequency`` all states of a node are removed together.

`credit` shares out exactly: credits are whole millionths of a conversion and ten-thousandths of a
currency unit, rounded by largest remainder, so every model's credits sum to the total to the last
digit.

Each share has the 95% interval of a jackknife that deletes one group of customers after the other
(`models.customer_groups`): Wilson's for the effective number of conversions, so that it stays within
0..1. It tells how the *sharing out* would vary with other customers of the same kind; of the number of
conversions there is nothing unsure.

All of them describe who was there, not who caused it: removal effects follow frequency, and no model
can show a touchpoint that hurts. `models.lift` stands beside them for that reason.

References
----------
.. [1] E. Anderl, I. Becker, F. von Wangenheim, J. H. Schumann, "Mapping the customer journey",
   IJRM 33 (2016), 457-474.
.. [2] B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981).
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
from models.absorbing_chain import CONVERSION, DROP_OFF, START, AbsorbingChain
from models.attribution_paths import CREDIT_UNIT, POSITIONS, SEEN
from models.counts import encode
from models.customer_groups import GROUPS, t95
from models.intervals import wilson_interval
from models.lift import Reached, lift

__all__ = ["MODELS", "credit"]

MODELS = ("removal_effect", "shapley", "first", "last", "linear", "position", "time_decay")
"""How conversions are shared out."""

_CREDIT_DIGITS, _VALUE_DIGITS = 6, 4
_ENDS = {START, CONVERSION, DROP_OFF}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def credit(counts: pa.Table) -> pa.Table:
    """Share out all conversions and their value, by every model, at every level.

    Parameters
    ----------
    counts : pa.Table
        From `models.attribution_paths.count_paths`, merged.

    Returns
    -------
    pa.Table
        `attribution` of `contracts.schemas`, sorted by key. By model and level, conversions and
        value sum exactly to the totals. No rows without a conversion.
    """
    plain = counts.cast(pa.schema([(f.name, _plain(f.type)) for f in counts.schema]))
    rows: list[dict[str, Any]] = []
    for level in plain["level"].unique().to_pylist():
        rows += _credits(_Level(level, plain.filter(pc.equal(plain["level"], level))))
    keys = [(name, "ascending") for name in TABLES["attribution"].key]
    return pa.Table.from_pylist(rows, schema=table_schema("attribution")).sort_by(keys)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


class _Level:
    """Counts of one level, read as arrays."""

    def __init__(self, name: str, counts: pa.Table) -> None:
        self.name = name
        self._counts = counts
        moves = self._rows("moves")
        ends = moves["source_node"].to_pylist(), moves["target_node"].to_pylist()
        self.states = sorted({*ends[0], *ends[1]} - _ENDS)
        owners = [state.split(SEEN)[0] for state in self.states]
        self.nodes = sorted(set(owners))
        place = {node: i for i, node in enumerate(self.nodes)}
        self.owner = np.array([place[node] for node in owners], np.int64)

    def sums(self, measure: str, bins: int = 1) -> Ints:
        """Sums of a measure by group, node, and what else is in `bin`: (GROUPS, n_nodes, bins)."""
        rows = self._rows(measure)
        node = pc.index_in(rows["source_node"], value_set=pa.array(self.nodes, pa.string()))
        group, rest = np.divmod(rows["bin"].to_numpy().astype(np.int64), bins)
        sums = np.zeros((GROUPS, len(self.nodes), bins), np.int64)
        known = pc.is_valid(node).to_numpy()
        at = pc.fill_null(node, 0).to_numpy()
        np.add.at(sums, (group[known], at[known], rest[known]), rows["count"].to_numpy()[known])
        return sums

    def of_start(self, measure: str) -> Floats:
        """Sums of a measure at START by group and position."""
        rows = self._rows(measure)
        rows = rows.filter(pc.equal(rows["source_node"], START))
        sums = np.zeros(GROUPS * POSITIONS)
        np.add.at(sums, rows["bin"].to_numpy(), rows["count"].to_numpy())
        return sums.reshape(GROUPS, POSITIONS)

    def removal_effects(self) -> Floats:
        """Effect of each node, and without each of the groups in turn: (1 + GROUPS, n_nodes)."""
        rows = self._rows("moves")
        source, sources = encode(rows["source_node"])
        target, targets = encode(rows["target_node"])
        edge, edges = np.unique(source * len(targets) + target, return_inverse=True)
        ends = np.divmod(edge, max(len(targets), 1))
        names = [
            texts.take(pa.array(at)).to_pylist()
            for texts, at in zip((sources, targets), ends, strict=True)
        ]
        count = np.zeros((GROUPS, len(edge)))
        np.add.at(count, (rows["bin"].to_numpy(), edges), rows["count"].to_numpy())
        whole = count.sum(axis=0)
        effect = self._effect(names, whole)
        rest = (self._effect(names, whole - c) if c.any() else effect for c in count)
        return np.vstack([effect, *rest])

    def _effect(self, names: list[list[str]], count: Floats) -> Floats:
        chain = AbsorbingChain(names[0], names[1], count)
        place = {name: i for i, name in enumerate(chain.nodes)}
        if self.states == self.nodes:
            effect = np.zeros(len(self.nodes))
            known = [i for i, node in enumerate(self.nodes) if node in place]
            effect[known] = chain.removal_effect[[place[self.nodes[i]] for i in known]]
            return effect
        sets: list[list[int]] = [[] for _ in self.nodes]
        for state, owner in zip(self.states, self.owner.tolist(), strict=True):
            if state in place:
                sets[owner].append(place[state])
        return chain.removal_effects(sets)

    def _rows(self, measure: str) -> pa.Table:
        return self._counts.filter(pc.equal(self._counts["measure"], measure))


def _credits(level: _Level) -> Iterator[dict[str, Any]]:
    last, last_value = level.sums("last")[:, :, 0], level.sums("last_value")[:, :, 0]
    total, value = int(last.sum()) // CREDIT_UNIT, int(last_value.sum())
    if not total:
        return
    groups = np.maximum((last > 0).any(axis=1).sum(), 2)
    reached = lift(*_reached(level))
    beside = {
        "journeys": reached.journeys.astype(np.int64),
        "plain_lift": reached.plain,
        "lift": reached.lift,
        "lift_low": reached.low,
        "lift_high": reached.high,
    }
    effects = level.removal_effects()
    for model in MODELS:
        if model == "removal_effect":
            shares = effects / np.maximum(effects.sum(axis=1, keepdims=True), 1e-300)
            by_value = shares
        else:
            shares, by_value = (
                _with_deleted(level.sums(model + suffix)[:, :, 0]) for suffix in ("", "_value")
            )
        low, high = _interval(shares, int(groups))
        spread = t95(int(groups)) * _error(by_value) * value
        units = _whole(shares[0], total * 10**_CREDIT_DIGITS)
        money = _whole(by_value[0], value)
        for i, node in enumerate(level.nodes):
            yield {
                "model": model,
                "level": level.name,
                "node": node,
                "credit": units[i] / (total * 10**_CREDIT_DIGITS),
                "credit_low": low[i],
                "credit_high": high[i],
                "conversions": Decimal(units[i]).scaleb(-_CREDIT_DIGITS),
                "value": Decimal(money[i]).scaleb(-_VALUE_DIGITS),
                "value_low": (money[i] - spread[i]) / 10**_VALUE_DIGITS,
                "value_high": (money[i] + spread[i]) / 10**_VALUE_DIGITS,
                **{name: _known(column[i]) for name, column in beside.items()},
            }


def _reached(level: _Level) -> Iterator[Reached]:
    for suffix in ("", "_converted"):
        yield Reached(
            first=level.sums(f"reached{suffix}", POSITIONS).astype(np.float64),
            length=level.sums(f"reached_length{suffix}", POSITIONS).astype(np.float64),
            all_length=level.of_start(f"reached_length{suffix}"),
        )


def _with_deleted(sums: Ints) -> Floats:
    """Shares of the whole, and without each of the groups in turn: (1 + GROUPS, n_nodes)."""
    whole = sums.sum(axis=0)
    rows = np.vstack([whole, whole - sums]).astype(np.float64)
    total = rows.sum(axis=1, keepdims=True)
    return np.divide(rows, total, out=np.zeros_like(rows), where=total != 0)


def _error(shares: Floats) -> Floats:
    """Jackknife standard error of the first row, from the others."""
    rest = shares[1:]
    return np.sqrt((GROUPS - 1) / GROUPS * ((rest - rest.mean(axis=0)) ** 2).sum(axis=0))


def _interval(shares: Floats, groups: int) -> tuple[Floats, Floats]:
    """Wilson's interval for the number of trials that has the jackknife's variance."""
    p, variance = shares[0], _error(shares) ** 2
    largest = p * (1 - p)
    # A share without spread is known no better than by the groups it rests on.
    trials = np.divide(
        largest, variance, out=np.full(len(p), float(groups)), where=variance * largest > 0
    )
    return wilson_interval(p * trials, trials, t95(groups))


def _known(value: Any) -> Any:
    return None if np.isnan(value) else value.item()


def _whole(shares: Floats, total: int) -> list[int]:
    """Round shares of the total to whole numbers that sum to it, by largest remainder."""
    amounts = shares * total
    whole = np.floor(amounts)
    order = np.argsort(whole - amounts, kind="stable")
    units = whole.astype(np.int64)
    each, rest = divmod(total - int(units.sum()), len(units))
    units += each
    units[order[:rest]] += 1
    return units.tolist()
