"""Columns of links read piece by piece, so that no column's text is ever in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "LinkReader",
    "column_of",
    "hash_pieces",
    "in_pieces",
    "link_hashes",
    "of_rows",
    "texts_at",
]

LinkReader = Callable[[str], Iterable[pa.Array]]
"""Reads a column of the links, piece by piece, in the same order whenever it is asked."""

_Piece = TypeVar("_Piece", pa.Array, np.ndarray)


def in_pieces(pieces: Iterable[_Piece], rows: np.ndarray) -> Iterator[tuple[_Piece, np.ndarray]]:
    """Each piece of a column, and which of its rows are among some rows, ascending, of the whole.

    >>> column = [np.array([5, 6]), np.array([7, 8])]
    >>> [piece[at].tolist() for piece, at in in_pieces(column, np.array([1, 2, 3]))]
    [[6], [7, 8]]
    """
    read = 0
    for piece in pieces:
        start, stop = np.searchsorted(rows, [read, read + len(piece)])
        yield piece, rows[start:stop] - read
        read += len(piece)


def texts_at(pieces: Iterable[pa.Array], rows: np.ndarray) -> pa.StringArray:
    """Some rows, ascending, of a column of text that comes in pieces."""
    found = [piece.take(pa.array(at)).cast(pa.string()) for piece, at in in_pieces(pieces, rows)]
    return pa.concat_arrays([pa.array([], pa.string()), *found])


def of_rows(pieces: Iterable[pa.Array], rows: np.ndarray) -> np.ndarray:
    """Some rows, ascending, of a column of numbers or times that comes in pieces, as int64."""
    found = [piece.take(pa.array(at)).cast(pa.int64()) for piece, at in in_pieces(pieces, rows)]
    return np.concatenate([np.zeros(0, np.int64), *(part.to_numpy() for part in found)])


def column_of(pieces: Iterable[pa.Array], length: int) -> np.ndarray:
    """A whole column of numbers or times that comes in pieces, as int64."""
    whole, read = np.empty(length, np.int64), 0
    for piece in pieces:
        whole[read : read + len(piece)] = piece.cast(pa.int64()).to_numpy()
        read += len(piece)
    return whole


def hash_pieces(links: LinkReader, namespace: str) -> list[np.ndarray]:
    """What `link_hashes` gives, in the pieces that are read."""
    return [pc.fill_null(piece, 0).to_numpy() for piece in links(f"hash_{namespace}")]


def link_hashes(links: LinkReader, namespace: str) -> np.ndarray:
    """The hash of each link's identifier in a namespace, uint64; 0 where it has none."""
    return np.concatenate([np.zeros(0, np.uint64), *hash_pieces(links, namespace)])
