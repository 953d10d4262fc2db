"""Rows grouped by a number: equal ones get the same code, and columns are collected by code.

Millions of numbers do not fit a processor's cache, so that each look-up waits for memory. Many hashes are therefore
parted by their highest bits first, block by block, and each part is grouped for itself (radix partitioning, Boncz,
Manegold & Kersten 1999). Blocks and parts are worked on by several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor

import numpy as np
import pyarrow as pa

__all__ = ["ascending", "ascending_rows", "collect", "distinct", "in_blocks", "numbered"]

_BITS = 6
_BLOCK_ROWS = 1 << 18
_START: dict[np.ufunc, int] = {
    np.minimum: np.iinfo(np.int64).max,
    np.maximum: np.iinfo(np.int64).min,
    np.add: 0,
}


def ascending(values: np.ndarray) -> np.ndarray:
    """The distinct values, ascending: what `numpy.unique` gives, which takes 50 times as long for a million hashes.

    >>> ascending(np.array([7, 2, 7])).tolist()
    [2, 7]
    """
    ordered = np.sort(values, axis=None)
    return ordered[_opens(ordered)]


def ascending_rows(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of columns of one type, ascending, of shape (n, columns), and how often each is there.

    >>> rows, counts = ascending_rows(np.array([7, 2, 7]), np.array([1, 5, 1]))
    >>> rows.tolist(), counts.tolist()
    ([[2, 5], [7, 1]], [1, 2])
    """
    order = np.lexsort(columns[::-1])
    ordered = [column[order] for column in columns]
    at = np.flatnonzero(_opens(*ordered))
    return np.stack([column[at] for column in ordered], axis=1), np.diff(at, append=len(order))


def _opens(*ordered: np.ndarray) -> np.ndarray:
    """Which rows of ordered columns are not the same as the one before."""
    opens = np.zeros(len(ordered[0]), bool)
    opens[:1] = True
    for column in ordered:
        opens[1:] |= column[1:] != column[:-1]
    return opens


def numbered(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct values of a column as they are met.

    Returns
    -------
    codes : ndarray of int32 of shape (n,)
        The same for equal numbers, from 0 in the order in which they are met.
    first : ndarray of int64 of shape (n_distinct,)
        Where each was met first, ascending.

    Examples
    --------
    >>> codes, first = numbered(np.array([70, 8, 70, 9]))
    >>> codes.tolist(), first.tolist()
    ([0, 1, 0, 2], [0, 1, 3])
    """
    codes, first = _grouped(numbers)
    is_first = np.zeros(len(numbers), bool)
    is_first[first] = True
    as_met = np.cumsum(is_first, dtype=np.int32)[first] - np.int32(1)
    return as_met[codes], np.flatnonzero(is_first)


def _grouped(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes in the order of the numbers, and where each was met first; sorting is sooner done than hashing."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    opens = _opens(ordered)
    codes = np.empty(len(numbers), np.int32)
    codes[order] = np.cumsum(opens, dtype=np.int32) - np.int32(1)
    starts = np.flatnonzero(opens)
    return codes, np.minimum.reduceat(order, starts) if len(starts) else order


def distinct(hashes: np.ndarray, pool: Executor) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct values of a long column: what `numbered` gives, sooner.

    Parameters
    ----------
    hashes : ndarray of uint64 of shape (n,)
        Any numbers; soonest where their highest bits differ as those of hashes do.
    pool : Executor
        Threads to work on.
    """
    if len(hashes) <= _BLOCK_ROWS:
        return numbered(hashes)
    parts = 1 << _BITS
    starts = range(0, len(hashes), _BLOCK_ROWS)
    order = np.empty(len(hashes), np.int32)
    codes = np.empty(len(hashes), np.int32)
    ends = np.zeros((len(starts), parts + 1), np.int64)

    def part(number: int) -> None:
        """The order of a block's rows by part, and where the parts end."""
        block = slice(starts[number], starts[number] + _BLOCK_ROWS)
        of_row = (hashes[block] >> np.uint64(64 - _BITS)).astype(np.uint8)
        order[block] = np.argsort(of_row, kind="stable")
        order[block] += starts[number]
        ends[number, 1:] = np.cumsum(np.bincount(of_row, minlength=parts))
        ends[number] += starts[number]

    def encode(number: int) -> np.ndarray:
        """The codes of a part, from 0; returns where each was met first."""
        slices = [slice(*pair) for pair in ends[:, number : number + 2].tolist()]
        rows = np.concatenate([order[at] for at in slices])
        mine, first = _grouped(hashes[rows])
        read = 0
        for at in slices:
            codes[at] = mine[read : read + at.stop - at.start]
            read += at.stop - at.start
        return rows[first]

    def place(number: int) -> None:
        """The codes of a block back in the order of its rows."""
        block = slice(starts[number], starts[number] + _BLOCK_ROWS)
        offset = np.repeat(offsets, np.diff(ends[number]))
        mine = renumbered[codes[block] + offset]
        codes[order[block]] = mine

    list(pool.map(part, range(len(starts))))
    met = list(pool.map(encode, range(parts)))
    offsets = np.cumsum([0, *map(len, met[:-1])])
    rows = np.concatenate(met)
    is_first = np.zeros(len(hashes), bool)
    is_first[rows] = True
    renumbered = np.cumsum(is_first, dtype=np.int32)[rows] - np.int32(1)
    list(pool.map(place, range(len(starts))))
    return codes, np.flatnonzero(is_first)


def collect(
    function: np.ufunc, size: int, numbers: Sequence[np.ndarray], pieces: Iterable[pa.Array]
) -> np.ndarray:
    """Minimum, maximum or sum of a column over the rows of each number, int64 of shape (size,).

    Parameters
    ----------
    function : {np.minimum, np.maximum, np.add}
    numbers : sequence of int ndarray of shape (n_rows,)
        A row belongs to one number in each; to the last, if it is -1.
    pieces : iterable of pa.Array or ndarray
        The column.

    Examples
    --------
    >>> collect(np.add, 3, [np.array([0, 1, 0])], [np.array([1, 2]), np.array([4])]).tolist()
    [5, 2, 0]
    """
    into, read = np.full(size, _START[function]), 0
    for piece in pieces:
        values = piece if isinstance(piece, np.ndarray) else piece.cast(pa.int64()).to_numpy()
        for column in numbers:
            function.at(into, column[read : read + len(piece)], values)
        read += len(piece)
    return into


def in_blocks(
    function: Callable[[slice], np.ndarray], rows: int, dtype: type, pool: Executor
) -> np.ndarray:
    """A long column made block by block, by several threads; each block stays in a processor's cache.

    Parameters
    ----------
    function : callable
        Gives the rows of a slice.
    rows : int
        Length of the column.
    dtype : numpy type
    pool : Executor

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> numbers = np.arange(3)
    >>> with ThreadPoolExecutor() as pool:
    ...     in_blocks(lambda at: numbers[at] ** 2, 3, np.int64, pool).tolist()
    [0, 1, 4]
    """
    whole: np.ndarray = np.empty(rows, dtype)

    def make(start: int) -> None:
        at = slice(start, min(start + _BLOCK_ROWS, rows))
        whole[at] = function(at)

    list(pool.map(make, range(0, rows, _BLOCK_ROWS)))
    return whole
