"""Who may be one customer: what is left out, known customers, shared devices, devices that join.

The four steps of docs/adr/0005 over nodes (identifiers as numbers) and links (rows of nodes). Nothing here knows of
text: where times tie, a `rank` that comes from the contents of nodes decides. The result depends on the set of
links alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.config import Identity
from models.bad_identifiers import Crowded, crowded_identifiers
from models.ordered_union import Limit, Refusals, ordered_union
from models.shared_devices import shared_devices

__all__ = ["CROWDED", "IN", "SHARED", "SPLIT", "Constrained", "constrain", "without"]

IN, CROWDED, SHARED, SPLIT = range(4)
"""What became of an identifier: it ties; it says nothing; several use it; it was ordered to stand alone."""

_ONE_KNOWN = "known customer"


@dataclass(frozen=True)
class Constrained:
    """Customers of nodes, before they have names."""

    labels: np.ndarray
    """Customer of each node, 0 to `count` - 1; whoever is left out stands alone."""
    count: int
    fate: np.ndarray
    """int8 a node: IN, CROWDED, SHARED or SPLIT."""
    crowded: Crowded
    refusals: Refusals
    limits: tuple[str, ...]
    """Names of the limits that `refusals` counts by: a namespace, or 'known customer'."""


def constrain(
    columns: Sequence[np.ndarray],
    sizes: Sequence[int],
    first_us: np.ndarray,
    namespaces: Sequence[str],
    identity: Identity,
    rank: np.ndarray,
    split: np.ndarray,
) -> Constrained:
    """Unite identifiers under the limits of the configuration.

    Parameters
    ----------
    columns : sequence of int32 ndarray of shape (n_links,)
        Node of each link in each namespace, strongest first; -1 for none. Nodes are numbered through
        the namespaces. Links of one node may be left out, as they tie nobody.
    sizes : sequence of int
        Number of nodes of each namespace.
    first_us : ndarray of int64 of shape (n_links,)
        When each link was first seen.
    namespaces : sequence of str
        Names of the columns.
    identity : Identity
        Limits, devices, and what to do with shared ones.
    rank : ndarray of shape (n_nodes,)
        Distinct numbers that come from namespace and value, such as their hash: the order where times tie.
    split : ndarray of int
        Nodes that were ordered to stand alone.

    """
    size = int(sum(sizes))
    rules = [identity.namespaces[name] for name in namespaces]
    fate = np.full(size, IN, np.int8)
    crowded = crowded_identifiers(columns, size, identity.max_stronger, identity.max_weaker)
    fate[crowded.nodes] = CROWDED
    fate[split] = SPLIT
    columns = without(columns, fate)
    own = np.split(np.arange(size, dtype=np.int32), np.cumsum(sizes)[:-1]) if len(sizes) else []
    limits = [
        Limit(name, nodes, rule.limit)
        for name, nodes, rule in zip(namespaces, own, rules, strict=True)
        if rule.limit is not None
    ]
    apart = identity.shared_devices != "none"
    devices = [place for place, rule in enumerate(rules) if rule.device and apart]
    people = [place for place in range(len(rules)) if place not in devices]
    pairs = [(one, other) for one in range(len(rules)) for other in range(one + 1, len(rules))]
    of_people = [pair for pair in pairs if not {*pair} & {*devices}]
    known = ordered_union(columns, of_people, first_us, size, limits, rank)
    names = tuple(limit.name for limit in limits)
    if not devices:
        return Constrained(known.labels, known.count, fate, crowded, known.refusals, names)
    label = np.append(known.labels, np.int32(-1))
    for place in devices:
        seen_with = (label[columns[person]] for person in people)
        fate[shared_devices(seen_with, columns[place], size)] = SHARED
    columns = without(columns, fate)
    persons = np.concatenate([np.zeros(0, np.int32), *[own[place] for place in people]])
    persons = persons[fate[persons] == IN]
    one_each = persons[np.unique(known.labels[persons], return_index=True)[1]]
    joined = ordered_union(
        columns,
        [pair for pair in pairs if pair not in of_people],
        first_us,
        size,
        [*limits, Limit(_ONE_KNOWN, one_each, 1)],
        rank,
        start=known.labels,
    )
    refusals = Refusals(
        *(
            np.concatenate([getattr(known.refusals, name), getattr(joined.refusals, name)])
            for name in ("left", "right", "first_us", "limit")
        )
    )
    return Constrained(joined.labels, joined.count, fate, crowded, refusals, (*names, _ONE_KNOWN))


def without(columns: Sequence[np.ndarray], fate: np.ndarray) -> Sequence[np.ndarray]:
    """Nodes of links, one array a namespace, without those that are left out."""
    if not fate.any():
        return columns
    kept = np.append(fate == IN, False)  # the last for -1
    return [np.where(kept[column], column, -1) for column in columns]
