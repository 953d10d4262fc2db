"""Unions in a fixed order under limits, fast where no limit is hit.

Edges are taken one after the other; an edge whose union would give a component more members of a kind than
allowed is refused and leaves no trace but its record. The plain loop over all edges defines the result. It is not run:

- A component of the graph without limits that breaks none is what the loop would have made of it, since without a
  refusal the order of unions is of no consequence. Such components come from `scipy.sparse.csgraph` at once.
- Of the other components a small graph is made and its edges are taken class by class, strongest class first. In a
  class the same holds again for components of what earlier classes united. A Python loop runs over the edges of the
  rest alone.

Nothing depends on the order or on repetitions of the rows given: within a class edges are ordered by first time and
then by a rank of their ends that comes from their contents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from models.distinct import ascending

__all__ = ["Limit", "Refusals", "Union", "ordered_union"]


@dataclass(frozen=True)
class Limit:
    """No component holds more than `most` of `nodes`."""

    name: str
    nodes: np.ndarray
    most: int


@dataclass(frozen=True)
class Refusals:
    """Edges refused, strongest class first, in the order in which they were met; each once."""

    left: np.ndarray
    right: np.ndarray
    first_us: np.ndarray
    limit: np.ndarray
    """Index of the limit that refused the edge; the first of several."""


@dataclass(frozen=True)
class Union:
    """Component of every node (0 to `count` - 1), and what was refused."""

    labels: np.ndarray
    count: int
    refusals: Refusals


def ordered_union(
    columns: Sequence[np.ndarray],
    pairs: Sequence[tuple[int, int]],
    first_us: np.ndarray,
    size: int,
    limits: Sequence[Limit],
    rank: np.ndarray,
    start: np.ndarray | None = None,
) -> Union:
    """Unite nodes that share a row, under limits.

    Parameters
    ----------
    columns : sequence of int ndarray of shape (n_rows,)
        Nodes of each row; -1 for none.
    pairs : sequence of (int, int)
        Pairs of columns whose nodes are tied, strongest class first. If a row ties a node of column j to nodes of
        columns h and i, h and i are tied too, by `pairs` or by `start`.
    first_us : ndarray of shape (n_rows,)
        When each row was first seen.
    size : int
        Number of nodes.
    limits : sequence of Limit
        What a component may hold. No component of `start` breaks one.
    rank : ndarray of shape (size,)
        Distinct numbers that order nodes by their contents where times tie, such as their hashes.
    start : ndarray of shape (size,), optional
        Components that are united already, numbered from 0 without a gap; default: every node alone.
    """
    labels = np.arange(size, dtype=np.int32) if start is None else start
    united = _components(*_first_partners(columns, pairs), labels)
    count = int(united.max(initial=-1)) + 1
    broken = _broken(united, count, limits)
    if not broken.any():
        return Union(united, count, _no_refusals())
    inside = np.flatnonzero(broken[united])
    local = np.full(size, -1, np.int32)
    local[inside] = np.arange(len(inside), dtype=np.int32)
    edges = []
    for one, other in pairs:
        left, right = columns[one], columns[other]
        rows = np.flatnonzero((left >= 0) & (right >= 0))
        rows = rows[broken[united[left[rows]]]]
        edges.append((local[left[rows]], local[right[rows]], first_us[rows]))
    few = [
        Limit(limit.name, at[at >= 0], limit.most)
        for limit in limits
        for at in [local[limit.nodes]]
    ]
    _, compact = np.unique(labels[inside], return_inverse=True)
    apart, refusals = _class_by_class(compact, edges, few, rank[inside])
    kept = np.flatnonzero(~broken)
    renumbered = np.full(count, -1, np.int32)
    renumbered[kept] = np.arange(len(kept), dtype=np.int32)
    result = renumbered[united]
    result[inside] = len(kept) + apart
    refused = Refusals(
        inside[refusals.left], inside[refusals.right], refusals.first_us, refusals.limit
    )
    return Union(result, len(kept) + int(apart.max()) + 1, refused)


def _first_partners(
    columns: Sequence[np.ndarray], pairs: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """A tie of every node to the first it is paired with in its row: as connected as all pairs."""
    left, right = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    for later in sorted({other for _, other in pairs}):
        partner = np.full(len(columns[later]), -1, np.int32)
        for one in [one for one, other in pairs if other == later]:
            partner = np.where(partner >= 0, partner, columns[one])
        rows = np.flatnonzero((partner >= 0) & (columns[later] >= 0))
        left.append(partner[rows])
        right.append(columns[later][rows])
    return np.concatenate(left), np.concatenate(right)


def _components(left: np.ndarray, right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Component of every node after uniting the ends of all edges; `labels` are united already."""
    count = int(labels.max(initial=-1)) + 1
    left, right = labels[left], labels[right]
    tied = np.zeros(count, bool)
    tied[left] = tied[right] = True
    some = np.flatnonzero(tied)  # most stand alone, and a graph without them is found sooner
    local = np.cumsum(tied, dtype=np.int32) - np.int32(1)
    component = np.empty(count, np.int32)
    component[some], number = _united(local[left], local[right], len(some))
    component[~tied] = np.arange(number, number + count - len(some))
    return component[labels]


def _united(left: np.ndarray, right: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Connected components of numbers below `size`, and how many they are."""
    if size == 0:
        return np.zeros(0, np.int32), 0
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
    number, component = connected_components(graph.tocsr(), directed=False)
    return component, number


def _broken(labels: np.ndarray, count: int, limits: Sequence[Limit]) -> np.ndarray:
    """Components that break a limit."""
    broken = np.zeros(count, bool)
    for limit in limits:
        broken |= np.bincount(labels[limit.nodes], minlength=count) > limit.most
    return broken


def _class_by_class(
    labels: np.ndarray,
    classes: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    limits: Sequence[Limit],
    rank: np.ndarray,
) -> tuple[np.ndarray, Refusals]:
    """The ordered union of a small graph; `labels` are numbers below the number of nodes."""
    refusals = [_no_refusals()]
    labels = labels.copy()
    size = len(labels)
    for left, right, first_us in classes:
        apart = labels[left] != labels[right]
        left, right, first_us = left[apart], right[apart], first_us[apart]
        if len(left) == 0:
            continue
        component, number = _united(labels[left], labels[right], size)
        united = component[labels]
        broken = _broken(united, number, limits)
        order = np.lexsort((rank[right], rank[left], first_us))
        order = order[broken[united[left[order]]]]
        pairs = left[order].astype(np.int64) * size + right[order]
        order = order[np.sort(np.unique(pairs, return_index=True)[1])]
        roots, refused, by = _loop(labels, left[order], right[order], limits)
        refused = order[refused]
        refusals.append(Refusals(left[refused], right[refused], first_us[refused], by))
        whole = np.zeros(number, np.int64)
        whole[united] = labels  # any of a component's labels stands for all
        labels = np.where(broken[united], roots[labels], whole[united])
    dense = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    joined = {
        name: np.concatenate([getattr(part, name) for part in refusals])
        for name in ("left", "right", "first_us", "limit")
    }
    return dense, Refusals(**joined)


def _loop(
    labels: np.ndarray, left: np.ndarray, right: np.ndarray, limits: Sequence[Limit]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The plain loop over ordered edges: new label of every label, edges refused, limits that refused."""
    size = len(labels)
    held = np.stack([np.bincount(labels[limit.nodes], minlength=size) for limit in limits], axis=1)
    involved = ascending(np.concatenate([labels[left], labels[right]]))
    counts = dict(zip(involved.tolist(), held[involved].tolist(), strict=True))
    parent = {label: label for label in counts}
    most = [limit.most for limit in limits]
    refused, by = [], []

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = label = parent[parent[label]]
        return label

    ends = zip(labels[left].tolist(), labels[right].tolist(), strict=True)
    for number, (one, other) in enumerate(ends):
        one, other = root(one), root(other)
        if one == other:
            continue
        together = [a + b for a, b in zip(counts[one], counts[other], strict=True)]
        over = [place for place, total in enumerate(together) if total > most[place]]
        if over:
            refused.append(number)
            by.append(over[0])
        else:
            parent[other] = one
            counts[one] = together
    roots = np.arange(size)
    roots[involved] = [root(label) for label in involved.tolist()]
    return roots, np.array(refused, np.int64), np.array(by, np.int64)


def _no_refusals() -> Refusals:
    none = np.zeros(0, np.int64)
    return Refusals(none, none, none, none)
