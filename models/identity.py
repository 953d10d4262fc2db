"""Who is who: connected components of identifiers that occur together.

Two identifiers on one event belong to one customer (an identity edge). The customer is named after
its oldest identifier (first seen; ties by strength of the namespace, then by hash), so the id is kept when
a customer gains identifiers or joins a younger one, and does not depend on the order of the input.

An identifier is known by 64 bits of MD5 over its namespace and value, which are also the id of the customer
it names; among five million identifiers two share theirs with a probability of 7e-7. So there is no text to
keep but the piece at hand: memory is bounded by the number of links (`models.links`), some 100 bytes each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from contracts.sql_text import literal
from models.engine import query
from models.hexadecimal import hex_text

__all__ = ["LinkReader", "Resolution", "resolve"]

LinkReader = Callable[[str], Iterable[pa.Array]]
"""Reads a column of the links, piece by piece, in the same order whenever it is asked."""


@dataclass(frozen=True)
class Resolution:
    """The outcome: a customer for every link and every identifier."""

    link_customers: np.ndarray
    """uint64 a link, in the order given; 0 where the link has no identifier."""
    namespaces: tuple[str, ...]
    namespace: np.ndarray
    """int8 an identifier, ascending: place in `namespaces`."""
    row: np.ndarray
    """int32 an identifier: the first link that bears it, ascending within a namespace."""
    customer: np.ndarray
    """uint64 an identifier."""
    first_seen: np.ndarray
    last_seen: np.ndarray
    """int64 an identifier: microseconds since 1970, UTC."""
    events: np.ndarray
    """int64 an identifier."""
    rule: np.ndarray
    """int8 an identifier: the strongest namespace seen beside it, or one of `_ALONE`, `_OLDEST`."""

    def identities(self, links: LinkReader) -> Iterator[pa.Table]:
        """The table `identities`, in pieces as large as those that `links` reads."""
        rules = [f"seen with {name}" for name in self.namespaces]
        names = pa.array([*rules, *_RULES], pa.string())
        rule = np.where(self.rule < 0, len(rules) - 1 - self.rule, self.rule).astype(np.int32)
        for number, namespace in enumerate(self.namespaces):
            start, end = np.searchsorted(self.namespace, [number, number + 1])
            read = 0
            for piece in links(f"id_{namespace}"):
                stop = start + np.searchsorted(self.row[start:end], read + len(piece))
                at = slice(start, stop)
                yield pa.table(
                    {
                        "namespace": pa.DictionaryArray.from_arrays(
                            np.full(stop - start, number, np.int32), list(self.namespaces)
                        ),
                        "value": piece.take(pa.array(self.row[at] - read)),
                        "customer_id": hex_text(self.customer[at]),
                        "first_seen": pa.array(self.first_seen[at], pa.timestamp("us", tz="UTC")),
                        "last_seen": pa.array(self.last_seen[at], pa.timestamp("us", tz="UTC")),
                        "events": self.events[at],
                        "rule": pa.DictionaryArray.from_arrays(rule[at], names),
                    }
                )
                start = stop
                read += len(piece)


_RULES = ("alone", "oldest")
_ALONE, _OLDEST = -1, -2


def resolve(links: LinkReader, namespaces: Sequence[str]) -> Resolution:
    """Resolve links to customers.

    Parameters
    ----------
    links : LinkReader
        Of `id_<namespace>` for each namespace, `first_seen`, `last_seen`, `events`. For a table in
        memory: ``lambda name: table[name].chunks``.
    namespaces : sequence of str
        Strongest first.
    """
    numbered = [_number(links, name) for name in namespaces]
    sizes = [len(hashes) for _, hashes, _ in numbered]
    namespace = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
    hashes = np.concatenate([hashes for _, hashes, _ in numbered])
    row = np.concatenate([rows for _, _, rows in numbered])
    nodes = [
        np.where(codes < 0, codes, codes + offset).astype(np.int32)
        for (codes, _, _), offset in zip(numbered, np.cumsum([0, *sizes[:-1]]), strict=True)
    ]
    del numbered
    strongest = np.full(len(nodes[0]), -1, np.int32)
    for codes in reversed(nodes):
        strongest = np.where(codes >= 0, codes, strongest)
    labels = _components(nodes, strongest, len(hashes))
    first = np.full(len(hashes), np.iinfo(np.int64).max)
    last = np.full(len(hashes), np.iinfo(np.int64).min)
    events = np.zeros(len(hashes), np.int64)
    _collect(np.minimum, first, nodes, links("first_seen"))
    _collect(np.maximum, last, nodes, links("last_seen"))
    _collect(np.add, events, nodes, links("events"))
    oldest = _oldest(labels, first, namespace, hashes)
    names = np.zeros(len(hashes), np.uint64)  # of components, which are no more than identifiers
    names[labels[oldest]] = hashes[oldest]
    customer = names[labels]
    rule = _beside(nodes, len(hashes))
    rule[oldest] = _OLDEST
    link_customers = np.append(customer, np.uint64(0))[strongest]
    return Resolution(
        link_customers, tuple(namespaces), namespace, row, customer, first, last, events, rule
    )


def _number(links: LinkReader, namespace: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the identifiers of a namespace by the first link that bears them.

    Returns
    -------
    codes : ndarray of int32
        Number of the identifier of each link; -1: it has none.
    hashes : ndarray of uint64
        Of each identifier.
    rows : ndarray of int32
        The first link that bears it, ascending.
    """
    sql = (
        f"SELECT coalesce(md5_number_upper({literal(namespace)} || chr(31) || value), 0) AS hash "
        "FROM piece"
    )
    pieces = [
        query(sql, piece=pa.table({"value": piece}))["hash"].to_numpy()
        for piece in links(f"id_{namespace}")
    ]
    of_link = np.concatenate([np.zeros(0, np.uint64), *pieces])
    del pieces
    order = np.argsort(of_link).astype(np.int32)
    ordered = of_link[order]
    opens = np.ones(len(order), bool)
    opens[1:] = ordered[1:] != ordered[:-1]
    opens[: np.searchsorted(ordered, 1)] = False  # no identifier
    starts = np.flatnonzero(opens)
    known = slice(starts[0], None) if len(starts) else slice(len(order), None)
    first = np.minimum.reduceat(order, starts) if len(starts) else np.zeros(0, np.int32)
    by_first = np.argsort(first)
    number = np.empty(len(first), np.int32)
    number[by_first] = np.arange(len(first), dtype=np.int32)
    codes = np.full(len(order), -1, np.int32)
    codes[order[known]] = number[np.cumsum(opens[known], dtype=np.int32) - 1]
    return codes, ordered[starts][by_first], first[by_first]


def _components(nodes: list[np.ndarray], strongest: np.ndarray, total: int) -> np.ndarray:
    """Component label of every identifier; a link ties all its identifiers to its strongest one."""
    tied = [(codes >= 0) & (codes != strongest) for codes in nodes]
    rows = np.concatenate([strongest[both] for both in tied])
    columns = np.concatenate([codes[both] for codes, both in zip(nodes, tied, strict=True)])
    edges = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(total, total))
    return connected_components(edges.tocsr(), directed=False)[1]


def _collect(
    function: np.ufunc, into: np.ndarray, nodes: list[np.ndarray], pieces: Iterable[pa.Array]
) -> None:
    """Minimum, maximum or sum of a number of the links over those of each identifier."""
    read = 0
    for piece in pieces:
        values = piece.cast(pa.int64()).to_numpy()
        for codes in nodes:
            of_piece = codes[read : read + len(piece)]
            known = of_piece >= 0
            function.at(into, of_piece[known], values[known])
        read += len(piece)


def _oldest(
    labels: np.ndarray, first: np.ndarray, namespace: np.ndarray, hashes: np.ndarray
) -> np.ndarray:
    """For every component the identifier it is named by: the least by first, namespace, hash."""
    left = np.arange(len(labels), dtype=np.int32)
    for key in (first, namespace, hashes):
        least = np.full(len(labels), np.iinfo(key.dtype).max, key.dtype)
        np.minimum.at(least, labels[left], key[left])
        left = left[key[left] == least[labels[left]]]
    return left


def _beside(nodes: list[np.ndarray], total: int) -> np.ndarray:
    """The strongest namespace seen beside each identifier, int8."""
    beside = np.full(total, _ALONE, np.int8)
    for other in reversed(range(len(nodes))):
        for mine, codes in enumerate(nodes):
            if mine != other:
                beside[codes[(codes >= 0) & (nodes[other] >= 0)]] = other
    return beside
