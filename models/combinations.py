"""The distinct combinations of identifiers that links bear: files repeat each other's.

Who is who depends on combinations alone, and there are fewer of them than links. They are found first, by one number
for each link that stands for all its identifiers; identifiers are then numbered among combinations. Of links only
the hashes are in memory as a whole, and only as long as that takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from models.distinct import collect, distinct
from models.identifier_hashes import combined_hashes
from models.link_columns import LinkReader, hash_pieces, in_pieces

__all__ = ["Combinations", "combine"]

_NONE = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class Combinations:
    """Combinations and identifiers, both numbered as they are met first, identifiers namespace by namespace."""

    of_link: np.ndarray
    """int32 a link: its combination."""
    nodes: list[np.ndarray]
    """int32 a combination, for each namespace: the number of its identifier; -1: it has none."""
    first_us: np.ndarray
    last_us: np.ndarray
    """int64 a combination: microseconds since 1970, UTC."""
    events: np.ndarray
    """int64 a combination."""
    namespace: np.ndarray
    """int8 an identifier, ascending."""
    hashes: np.ndarray
    """uint64 an identifier."""
    row: np.ndarray
    """int32 an identifier: the first link that bears it, ascending within a namespace."""


def combine(links: LinkReader, namespaces: Sequence[str], pool: Executor) -> Combinations:
    """Find the combinations of links, and number their identifiers.

    Parameters
    ----------
    links : LinkReader
        Of `hash_<namespace>` for each namespace, `first_seen`, `last_seen` and `events`.
    namespaces : sequence of str
        In the order in which their identifiers are numbered.
    pool : Executor
        Threads to work on.
    """
    columns = list(pool.map(lambda name: hash_pieces(links, name), namespaces))
    of_link, first = distinct(_together(columns, pool), pool)
    measures = pool.map(  # meanwhile
        lambda name, function: collect(function, len(first), [of_link], links(name)),
        ("first_seen", "last_seen", "events"),
        (np.minimum, np.maximum, np.add),
    )
    nodes: list[np.ndarray] = []
    hashes: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    while columns:
        pieces = in_pieces(columns.pop(0), first)
        column = np.concatenate([_NONE, *(piece[at] for piece, at in pieces)])
        known = np.flatnonzero(column)
        codes, at = distinct(column[known], pool)
        node = np.full(len(first), -1, np.int32)
        node[known] = codes + sum(len(met) for met in hashes)
        nodes.append(node)
        hashes.append(column[known[at]])
        rows.append(first[known[at]].astype(np.int32))
    first_us, last_us, events = measures
    namespace = np.repeat(np.arange(len(hashes), dtype=np.int8), [*map(len, hashes)])
    return Combinations(
        of_link,
        nodes,
        first_us,
        last_us,
        events,
        namespace,
        np.concatenate(hashes),
        np.concatenate(rows),
    )


def _together(columns: Sequence[Sequence[np.ndarray]], pool: Executor) -> np.ndarray:
    """One number for the identifiers of each link."""
    starts = np.cumsum([0, *map(len, columns[0])])
    whole = np.empty(starts[-1], np.uint64)

    def combine_piece(begin: int, *piece: np.ndarray) -> None:
        whole[begin : begin + len(piece[0])] = combined_hashes(piece)

    list(pool.map(combine_piece, starts[:-1], *columns))
    return whole
