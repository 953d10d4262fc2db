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
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Identity
from contracts.sql_text import md5_64
from models.combinations import combine
from models.distinct import ascending, collect, in_blocks
from models.engine import query
from models.hexadecimal import hex_text
from models.identifier_hashes import identifier_hash
from models.identity_limits import CROWDED, IN, SHARED, SPLIT, Constrained, constrain, without
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
    threads: int = 1,
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
    threads : int
        How many work on columns of links, whose number is the greatest here.
    """
    with ThreadPoolExecutor(threads) as pool:
        return _resolve(links, namespaces, identity, splits, pool)


def _resolve(
    links: LinkReader,
    namespaces: Sequence[str],
    identity: Identity,
    splits: Iterable[tuple[str, str]],
    pool: Executor,
) -> Resolution:
    met = combine(links, namespaces, pool)
    pa.default_memory_pool().release_unused()  # by far the most was for a while only
    kind, nodes, hashes, namespace, row = met.of_link, met.nodes, met.hashes, met.namespace, met.row
    sizes = np.bincount(namespace, minlength=len(namespaces)).tolist()
    measures = pool.map(  # meanwhile
        lambda function, values: collect(function, len(hashes) + 1, nodes, [values])[:-1],
        (np.minimum, np.maximum, np.add),
        (met.first_us, met.last_us, met.events),
    )
    ordered = np.flatnonzero(np.isin(hashes, [identifier_hash(*split) for split in splits]))
    several = np.flatnonzero(sum((codes >= 0).view(np.int8) for codes in nodes) > 1)
    ties = [codes[several] for codes in nodes]  # whoever is seen alone ties nobody
    found = constrain(ties, sizes, met.first_us[several], namespaces, identity, hashes, ordered)
    first, last, events = measures
    oldest = _oldest(found.labels, found.count, first, namespace, hashes)
    names = np.zeros(len(hashes), np.uint64)  # of components, which are no more than identifiers
    names[found.labels[oldest]] = hashes[oldest]
    customer = names[found.labels]
    customer[np.isin(found.fate, (SHARED, CROWDED))] = 0
    rule = _beside(without(ties, found.fate), found.labels)
    rule[oldest] = _OLDEST
    for fate, number in _RULE_OF_FATE.items():
        rule[found.fate == fate] = number
    strongest = _strongest(without(nodes, found.fate))
    if found.fate.any():
        some = np.append(np.isin(found.fate, (SHARED, SPLIT)), False)
        left_out = _strongest([np.where(some[codes], codes, -1) for codes in nodes])
        strongest = np.where(strongest >= 0, strongest, left_out)
    customers = np.append(customer, np.uint64(0))[strongest]
    label = np.where(customers != 0, np.append(found.labels, -1)[strongest], -1)
    on_shared = pool.submit(_on_shared, kind, nodes, strongest, found.fate)  # meanwhile
    seen_with = pool.submit(_seen_with, nodes, label, found.fate, found.count)
    refused = refused_values(links, kind, label, found.count)
    events_of = np.zeros(0, np.int64)
    if found.fate.any() or len(found.refusals.left) or len(refused):
        events_of = collect(np.add, found.count + 1, [label], [met.events])
    del met  # times of combinations
    of_links = in_blocks(lambda at: customers[kind[at]], len(kind), np.uint64, pool)
    return Resolution(
        of_links,
        tuple(namespaces),
        namespace,
        row,
        hashes,
        customer,
        first,
        last,
        events,
        rule,
        on_shared.result(),
        found,
        seen_with.result(),
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
    bears = [shared[codes] & (~shared[strongest] | (strongest == codes)) for codes in nodes]
    rows = np.flatnonzero(np.logical_or.reduce(bears)[kind])
    link, device = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for codes, mine in zip(nodes, bears, strict=True):
        own = rows[mine[kind[rows]]]
        link.append(own)
        device.append(codes[kind[own]].astype(np.int64))
    links, devices = np.concatenate(link), np.concatenate(device)
    order = np.argsort(links, kind="stable")
    return SharedLinks(links[order], devices[order])


def _oldest(
    labels: np.ndarray, count: int, first: np.ndarray, namespace: np.ndarray, hashes: np.ndarray
) -> np.ndarray:
    """For every component the identifier it is named by: the least by first, namespace, hash."""
    left = np.arange(len(labels), dtype=np.int32)
    for key in (first, namespace, hashes):
        if len(left) == count:
            break
        least = np.full(count, np.iinfo(key.dtype).max, key.dtype)
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
        found.append(ascending(codes[rows].astype(np.int64) * customers + label[rows]))
    pairs = ascending(np.concatenate(found))
    return pairs // max(customers, 1), pairs % max(customers, 1)


def _beside(columns: Sequence[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """The strongest namespace of the same customer seen beside each identifier, int8."""
    beside = np.full(len(labels), _ALONE, np.int8)
    for one in reversed(range(len(columns))):
        for other in reversed(range(one + 1, len(columns))):
            rows = np.flatnonzero((columns[one] >= 0) & (columns[other] >= 0))
            left, right = columns[one][rows], columns[other][rows]
            same = labels[left] == labels[right]
            beside[left[same]] = other
            beside[right[same]] = one
    return beside
