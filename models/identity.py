"""Who is who: customers of links and identifiers, with the names they keep.

Two identifiers on one event belong to one customer (an identity edge), as far as `models.identity_limits` allows. The
customer is named after its oldest identifier (first seen; ties by strength of the namespace, then by hash), so the
id is kept when a customer gains identifiers or joins a younger one, and does not depend on the order of the input.

An identifier is known by its hash (`models.identifier_hashes`), which is also the id of the customer it names. So
there is no text to keep but the piece at hand: memory is bounded by the number of links (`models.links`), some 100
bytes each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Identity
from contracts.sql_text import md5_64
from models.dictionaries import encode
from models.distinct import distinct
from models.engine import query
from models.hexadecimal import hex_text
from models.identifier_hashes import identifier_hash
from models.identity_limits import CROWDED, IN, SHARED, SPLIT, Constrained, constrain
from models.link_columns import LinkReader, texts_at
from models.refused_values import RefusedValues, refused_values

__all__ = [
    "Resolution",
    "SharedLinks",
    "customer_ids",
    "known_customers",
    "resolve",
]


@dataclass(frozen=True)
class Resolution:
    """The outcome: a customer for every link and every identifier."""

    link_customers: np.ndarray
    """uint64 a link, in the order given; 0 where nobody or only the time says whose it is."""
    namespaces: tuple[str, ...]
    namespace: np.ndarray
    """int8 an identifier, ascending: place in `namespaces`."""
    row: np.ndarray
    """int32 an identifier: the first link that bears it, ascending within a namespace."""
    hashes: np.ndarray
    """uint64 an identifier."""
    customer: np.ndarray
    """uint64 an identifier; 0 for one that is shared or says nothing."""
    first_seen: np.ndarray
    last_seen: np.ndarray
    """int64 an identifier: microseconds since 1970, UTC."""
    events: np.ndarray
    """int64 an identifier."""
    rule: np.ndarray
    """int8 an identifier: the strongest namespace that tied it, or one of the negative `_RULES`."""
    on_shared: SharedLinks
    constrained: Constrained
    """Labels of customers, fates of identifiers, and what was refused."""
    seen_with: tuple[np.ndarray, np.ndarray]
    """Distinct pairs of an identifier that is left out and the label of a customer it was seen with."""
    refused: RefusedValues
    """Values that are no identifiers, as they say nothing."""
    events_of: np.ndarray
    """int64 a label: the customer's events; empty if nothing was refused. The last is nobody's."""

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
                        "value": piece.take(pa.array(self.row[at] - read)).cast(pa.string()),
                        "customer_id": customer_ids(self.customer[at]),
                        "first_seen": pa.array(self.first_seen[at], pa.timestamp("us", tz="UTC")),
                        "last_seen": pa.array(self.last_seen[at], pa.timestamp("us", tz="UTC")),
                        "events": self.events[at],
                        "rule": pa.DictionaryArray.from_arrays(rule[at], names),
                    }
                )
                start = stop
                read += len(piece)

    def values(self, links: LinkReader, nodes: np.ndarray) -> pa.StringArray:
        """The text of given identifiers."""
        order = np.argsort(nodes, kind="stable")
        rows, owner = self.row[nodes[order]], self.namespace[nodes[order]]
        texts = [pa.array([], pa.string())]
        for number, namespace in enumerate(self.namespaces):
            wanted = rows[owner == number]
            if len(wanted):
                texts.append(texts_at(links(f"id_{namespace}"), wanted))
        return pa.concat_arrays(texts).take(pa.array(np.argsort(order)))


@dataclass(frozen=True)
class SharedLinks:
    """Links that bear a shared device, ascending; an anonymous one belongs to its strongest device."""

    link: np.ndarray
    device: np.ndarray
    """Number of the identifier."""


_RULES = ("alone", "oldest", "shared", "says nothing", "split by order")
_ALONE, _OLDEST = -1, -2
_RULE_OF_FATE = {SHARED: -3, CROWDED: -4, SPLIT: -5}


def resolve(
    links: LinkReader,
    namespaces: Sequence[str],
    identity: Identity,
    splits: Iterable[tuple[str, str]] = (),
) -> Resolution:
    """Resolve links to customers.

    Parameters
    ----------
    links : LinkReader
        Of `id_<namespace>` and `hash_<namespace>` for each namespace, `first_seen`, `last_seen`, `events`
        (`models.links`), and `_refused` (`models.refused_values`). For a table in memory:
        ``lambda name: table[name].chunks``.
    namespaces : sequence of str
        Strongest first.
    identity : Identity
        Limits of the namespaces, and what to do with shared devices.
    splits : iterable of (namespace, value)
        Identifiers that were ordered to tie nobody.
    """
    numbered = [_number(links, name) for name in namespaces]
    sizes = [len(hashes) for _, hashes, _ in numbered]
    namespace = np.repeat(np.arange(len(sizes), dtype=np.int8), sizes)
    hashes = np.concatenate([hashes for _, hashes, _ in numbered])
    row = np.concatenate([rows for _, _, rows in numbered])
    kind, first = _combinations([codes for codes, _, _ in numbered], sizes)
    nodes = [
        np.where(codes[first] < 0, -1, codes[first] + np.int32(offset))
        for (codes, _, _), offset in zip(numbered, np.cumsum([0, *sizes[:-1]]), strict=True)
    ]
    del numbered
    first_us = np.full(len(nodes[0]), np.iinfo(np.int64).max)
    last_us = np.full(len(nodes[0]), np.iinfo(np.int64).min)
    borne = np.zeros(len(nodes[0]), np.int64)
    _collect(np.minimum, first_us, [kind], links("first_seen"))
    _collect(np.maximum, last_us, [kind], links("last_seen"))
    _collect(np.add, borne, [kind], links("events"))
    ordered = np.flatnonzero(np.isin(hashes, [identifier_hash(*split) for split in splits]))
    found, columns = constrain(nodes, sizes, first_us, namespaces, identity, hashes, ordered)
    first = np.full(len(hashes) + 1, np.iinfo(np.int64).max)
    last = np.full(len(hashes) + 1, np.iinfo(np.int64).min)
    events = np.zeros(len(hashes) + 1, np.int64)
    _collect(np.minimum, first, nodes, [first_us])
    _collect(np.maximum, last, nodes, [last_us])
    _collect(np.add, events, nodes, [borne])
    first, last, events = first[:-1], last[:-1], events[:-1]
    oldest = _oldest(found.labels, first, namespace, hashes)
    names = np.zeros(len(hashes), np.uint64)  # of components, which are no more than identifiers
    names[found.labels[oldest]] = hashes[oldest]
    customer = names[found.labels]
    customer[np.isin(found.fate, (SHARED, CROWDED))] = 0
    rule = _beside(columns, found.labels)
    rule[oldest] = _OLDEST
    for fate, number in _RULE_OF_FATE.items():
        rule[found.fate == fate] = number
    strongest = _strongest(columns)
    if found.fate.any():
        some = np.append(np.isin(found.fate, (SHARED, SPLIT)), False)
        left_out = _strongest([np.where(some[codes], codes, -1) for codes in nodes])
        strongest = np.where(strongest >= 0, strongest, left_out)
    customers = np.append(customer, np.uint64(0))[strongest]
    label = np.where(customers != 0, np.append(found.labels, -1)[strongest], -1)
    refused = refused_values(links, label[kind], found.count)
    events_of = np.zeros(0, np.int64)
    if found.fate.any() or len(found.refusals.left) or len(refused):
        events_of = np.zeros(found.count + 1, np.int64)
        _collect(np.add, events_of, [label], [borne])
    return Resolution(
        customers[kind],
        tuple(namespaces),
        namespace,
        row,
        hashes,
        customer,
        first,
        last,
        events,
        rule,
        _on_shared(kind, nodes, strongest, found.fate),
        found,
        _seen_with(nodes, label, found.fate, found.count),
        refused,
        events_of,
    )


def customer_ids(customers: np.ndarray) -> pa.StringArray:
    """Hashes of customers as ids; null for 0."""
    return pc.if_else(pa.array(customers != 0), hex_text(customers), None)


def known_customers(identities: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of identifiers and customers (0: none) of rows of `identities`, back from text."""
    sql = (
        f"SELECT {md5_64('namespace || chr(31) || value')} AS hash, "
        "coalesce(('0x' || customer_id)::UBIGINT, 0) AS customer FROM identities"
    )
    found = query(sql, identities=pa.table(identities))
    return found["hash"].to_numpy(), found["customer"].to_numpy()


def _strongest(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The strongest identifier of each row; -1: none."""
    strongest = np.full(len(columns[0]), -1, np.int32)
    for codes in reversed(columns):
        strongest = np.where(codes >= 0, codes, strongest)
    return strongest


def _on_shared(
    kind: np.ndarray, nodes: list[np.ndarray], strongest: np.ndarray, fate: np.ndarray
) -> SharedLinks:
    """Links with shared devices; of an anonymous link's devices the strongest only."""
    shared = np.append(fate == SHARED, False)
    link, device = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for codes in nodes:
        bears = shared[codes] & (~shared[strongest] | (strongest == codes))
        rows = np.flatnonzero(bears[kind])
        link.append(rows)
        device.append(codes[kind[rows]].astype(np.int64))
    links, devices = np.concatenate(link), np.concatenate(device)
    order = np.argsort(links, kind="stable")
    return SharedLinks(links[order], devices[order])


def _number(links: LinkReader, namespace: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the identifiers of a namespace by the first link that bears them, as Arrow encodes hashes.

    Returns
    -------
    codes : ndarray of int32
        Number of the identifier of each link; -1: it has none.
    hashes : ndarray of uint64
        Of each identifier.
    rows : ndarray of int32
        The first link that bears it, ascending.
    """
    hashes = encode(pa.chunked_array(list(links(f"hash_{namespace}")), pa.uint64()))
    codes = pc.fill_null(hashes.indices, -1).to_numpy()
    greatest = np.maximum.accumulate(np.append(np.int32(-1), codes))
    rows = np.flatnonzero(codes > greatest[:-1]).astype(np.int32)
    return codes, hashes.dictionary.to_numpy(), rows


def _combinations(
    columns: Sequence[np.ndarray], sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct combinations of identifiers; files repeat each other's.

    Parameters
    ----------
    columns : sequence of int32 ndarray of shape (n_links,)
        Number of each link's identifier in each namespace; -1: it has none.
    sizes : sequence of int
        How many identifiers each namespace has.

    Returns
    -------
    kind : ndarray of int32 of shape (n_links,)
        Combination of each link.
    first : ndarray of int64 of shape (n_combinations,)
        A link that bears it.
    """
    kind, kinds = columns[0].astype(np.int64), sizes[0] + 1
    for codes, size in zip(columns[1:], sizes[1:], strict=True):
        if kinds * (size + 1) > np.iinfo(np.int64).max:
            kind, kinds = distinct(kind)[0].astype(np.int64), len(kind)
        kind = kind * (size + 1) + codes + 1
        kinds *= size + 1
    return distinct(kind)


def _collect(
    function: np.ufunc, into: np.ndarray, nodes: list[np.ndarray], pieces: Iterable[pa.Array]
) -> None:
    """Minimum, maximum or sum of a number of links, or of their kinds, over those of each code.

    The last place of `into` takes what belongs to none, whose code is -1.
    """
    read = 0
    for piece in pieces:
        values = piece if isinstance(piece, np.ndarray) else piece.cast(pa.int64()).to_numpy()
        for codes in nodes:
            function.at(into, codes[read : read + len(piece)], values)
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


def _seen_with(
    nodes: list[np.ndarray], label: np.ndarray, fate: np.ndarray, customers: int
) -> tuple[np.ndarray, np.ndarray]:
    """Identifiers that are left out, and the labels of the customers they were seen with."""
    alone = np.append(fate != IN, False)
    found = [np.zeros(0, np.int64)]
    for codes in nodes if fate.any() else ():
        rows = np.flatnonzero(alone[codes] & (label >= 0))
        found.append(np.unique(codes[rows].astype(np.int64) * customers + label[rows]))
    pairs = np.unique(np.concatenate(found))
    return pairs // max(customers, 1), pairs % max(customers, 1)


def _beside(columns: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The strongest namespace of the same customer seen beside each identifier, int8."""
    beside = np.full(len(labels), _ALONE, np.int8)
    for other in reversed(range(len(columns))):
        for mine, codes in enumerate(columns):
            if mine != other:
                rows = np.flatnonzero((codes >= 0) & (columns[other] >= 0))
                one = codes[rows]
                beside[one[labels[one] == labels[columns[other][rows]]]] = other
    return beside
