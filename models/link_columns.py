"""Columns of links read piece by piece, so that no column's text is ever in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from contracts.sql_text import literal, md5_64
from models.dictionaries import codes_of, encode
from models.engine import query

__all__ = ["LinkReader", "column_of", "link_hashes", "of_rows", "texts_at"]

LinkReader = Callable[[str], Iterable[pa.Array]]
"""Reads a column of the links, piece by piece, in the same order whenever it is asked."""


def texts_at(pieces: Iterable[pa.Array], rows: np.ndarray) -> pa.StringArray:
    """Some rows, ascending, of a column of text that comes in pieces."""
    found, read = [pa.array([], pa.string())], 0
    for piece in pieces:
        start, stop = np.searchsorted(rows, [read, read + len(piece)])
        found.append(piece.take(pa.array(rows[start:stop] - read)).cast(pa.string()))
        read += len(piece)
    return pa.concat_arrays(found)


def of_rows(pieces: Iterable[pa.Array], rows: np.ndarray) -> np.ndarray:
    """Some rows, ascending, of a column of numbers or times that comes in pieces, as int64."""
    found, read = [np.zeros(0, np.int64)], 0
    for piece in pieces:
        start, stop = np.searchsorted(rows, [read, read + len(piece)])
        found.append(piece.take(pa.array(rows[start:stop] - read)).cast(pa.int64()).to_numpy())
        read += len(piece)
    return np.concatenate(found)


def column_of(pieces: Iterable[pa.Array], length: int) -> np.ndarray:
    """A whole column of numbers or times that comes in pieces, as int64."""
    whole, read = np.empty(length, np.int64), 0
    for piece in pieces:
        whole[read : read + len(piece)] = piece.cast(pa.int64()).to_numpy()
        read += len(piece)
    return whole


def link_hashes(links: LinkReader, namespace: str) -> np.ndarray:
    """The hash of each link's identifier in a namespace, uint64; 0 where it has none."""
    text = f"{literal(namespace)} || chr(31) || value"
    sql = f"SELECT {md5_64(text)} AS hash FROM texts"
    found = [np.zeros(0, np.uint64)]
    for piece in links(f"id_{namespace}"):
        encoded = encode(piece)  # MD5 is most of the work, and values repeat
        hashes = query(sql, texts=pa.table({"value": encoded.dictionary}))["hash"].to_numpy()
        found.append(np.append(hashes, np.uint64(0))[codes_of(encoded)])
    return np.concatenate(found)
