"""Who is who: connected components of identifiers that occur together.

Two identifiers on one event belong to one customer (an identity edge). The customer is named after
its oldest identifier (first seen; ties by strength of the namespace, then by value), so the id is kept when
a customer gains identifiers or joins a younger one, and does not depend on the order of the input.
Memory is bounded by the number of links (`models.links`), not of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from models.dictionaries import codes_of, encode
from models.engine import query
from models.hexadecimal import hex_text

__all__ = ["Columns", "Resolution", "resolve"]


class Columns(Protocol):
    """A table of which one column is looked at at a time: a pa.Table, or files read when asked."""

    def __len__(self) -> int: ...

    def __getitem__(self, name: str) -> pa.ChunkedArray: ...


@dataclass(frozen=True)
class Resolution:
    """The outcome: a customer for every link and every identifier."""

    link_customers: np.ndarray
    """uint64 a link, in the order given; 0 where the link has no identifier."""
    identities: pa.Table
    """The table `identities`."""


def resolve(links: Columns, namespaces: Sequence[str]) -> Resolution:
    """Resolve links to customers.

    Parameters
    ----------
    links : pa.Table or `Columns`
        `id_<namespace>` for each namespace, `first_seen`, `last_seen`, `events`.
    namespaces : sequence of str
        Strongest first.
    """
    nodes, values = _nodes(links, namespaces)
    owner = np.repeat(np.arange(len(namespaces)), [len(v) for v in values])
    total = len(owner)
    labels = _components(nodes, total)
    seen = _seen(nodes, links, total)
    named_by = _oldest(labels, seen, owner, values)
    customers = _customer_hashes(named_by, owner, values, namespaces)
    of_node = customers[labels] if total else np.zeros(0, np.uint64)
    strongest = np.full(len(links), -1, np.int64)
    for codes in reversed(nodes):
        strongest = np.where(codes >= 0, codes, strongest)
    link_customers = np.zeros(len(links), np.uint64)
    known = strongest >= 0
    link_customers[known] = of_node[strongest[known]]
    rules = _rules(nodes, owner, named_by, namespaces)
    identities = pa.table(
        {
            "namespace": pa.DictionaryArray.from_arrays(
                pa.array(owner, pa.int32()), list(namespaces)
            ),
            "value": pa.concat_arrays(values) if values else pa.array([], pa.string()),
            "customer_id": hex_text(of_node),
            "first_seen": pa.array(seen["first"], pa.timestamp("us", tz="UTC")),
            "last_seen": pa.array(seen["last"], pa.timestamp("us", tz="UTC")),
            "events": seen["events"],
            "rule": rules,
        }
    )
    return Resolution(link_customers, identities)


def _nodes(links: Columns, namespaces: Sequence[str]) -> tuple[list[np.ndarray], list[pa.Array]]:
    """A number for every identifier: for each namespace the links' numbers (-1: none) and the values."""
    nodes, values, offset = [], [], 0
    for namespace in namespaces:
        encoded = encode(links[f"id_{namespace}"])
        codes = codes_of(encoded)
        nodes.append(np.where(codes >= 0, codes + offset, -1))
        values.append(encoded.dictionary)
        offset += len(encoded.dictionary)
    return nodes, values


def _components(nodes: list[np.ndarray], total: int) -> np.ndarray:
    """Component label of every node; a link ties all its identifiers to its first one."""
    if total == 0:
        return np.zeros(0, np.int64)
    left, right = [], []
    anchor = np.full(len(nodes[0]), -1, np.int64)
    for codes in nodes:
        both = (codes >= 0) & (anchor >= 0)
        left.append(anchor[both])
        right.append(codes[both])
        anchor = np.where(anchor >= 0, anchor, codes)
    rows, columns = np.concatenate(left), np.concatenate(right)
    edges = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(total, total))
    return connected_components(edges.tocsr(), directed=False)[1]


def _seen(nodes: list[np.ndarray], links: Columns, total: int) -> dict[str, np.ndarray]:
    first = np.full(total, np.iinfo(np.int64).max)
    last = np.full(total, np.iinfo(np.int64).min)
    events = np.zeros(total, np.int64)
    link_first = links["first_seen"].cast(pa.int64()).to_numpy()
    link_last = links["last_seen"].cast(pa.int64()).to_numpy()
    link_events = links["events"].to_numpy()
    for codes in nodes:
        known = codes >= 0
        at = codes[known]
        np.minimum.at(first, at, link_first[known])
        np.maximum.at(last, at, link_last[known])
        np.add.at(events, at, link_events[known])
    return {"first": first, "last": last, "events": events}


def _oldest(
    labels: np.ndarray, seen: dict[str, np.ndarray], owner: np.ndarray, values: list[pa.Array]
) -> np.ndarray:
    """For every component the node it is named by."""
    if len(labels) == 0:
        return np.zeros(0, np.int64)
    order = np.lexsort((owner, seen["first"], labels))
    starts = np.flatnonzero(np.r_[True, labels[order][1:] != labels[order][:-1]])
    chosen = order[starts]
    ends = np.r_[starts[1:], len(order)]
    offsets = np.r_[0, np.cumsum([len(v) for v in values])]
    second = order[np.minimum(starts + 1, len(order) - 1)]
    tied = (ends - starts > 1) & (seen["first"][second] == seen["first"][chosen])
    tied &= owner[second] == owner[chosen]
    for component in np.flatnonzero(tied).tolist():
        members = order[starts[component] : ends[component]]
        leader = chosen[component]
        same = (seen["first"][members] == seen["first"][leader]) & (owner[members] == owner[leader])
        namespace = owner[leader]
        chosen[component] = min(
            members[same].tolist(), key=lambda n: values[namespace][n - offsets[namespace]].as_py()
        )
    return chosen


def _customer_hashes(
    named_by: np.ndarray, owner: np.ndarray, values: list[pa.Array], namespaces: Sequence[str]
) -> np.ndarray:
    """64 bits of MD5 over namespace and value of the identifier that names each component."""
    hashes = np.zeros(len(named_by), np.uint64)
    offset = 0
    for number, (namespace, known) in enumerate(zip(namespaces, values, strict=True)):
        of_namespace = np.flatnonzero(owner[named_by] == number)
        names = pa.table({"value": known.take(pa.array(named_by[of_namespace] - offset))})
        literal = namespace.replace("'", "''")
        sql = f"SELECT md5_number_upper('{literal}' || chr(31) || value) AS hash FROM names"
        hashes[of_namespace] = query(sql, names=names)["hash"].to_numpy()
        offset += len(known)
    return hashes


def _rules(
    nodes: list[np.ndarray], owner: np.ndarray, named_by: np.ndarray, namespaces: Sequence[str]
) -> pa.DictionaryArray:
    """What tied each identifier to its customer: the strongest namespace seen beside it."""
    alone, oldest = len(namespaces), len(namespaces) + 1
    beside = np.full(len(owner), alone, np.int64)
    for mine, codes in enumerate(nodes):
        for other, theirs in enumerate(nodes):
            if other != mine:
                both = (codes >= 0) & (theirs >= 0)
                np.minimum.at(beside, codes[both], other)
    beside[named_by] = oldest
    names = [f"seen with {name}" for name in namespaces] + ["alone", "oldest"]
    return pa.DictionaryArray.from_arrays(pa.array(beside, pa.int32()), names)
