"""Many numbers numbered: equal ones get the same code.

A hash table of millions of numbers does not fit a processor's cache, so that each look-up waits for memory. The
numbers are therefore parted by some of their hashed bits first, and each part gets a small table of its own (radix
partitioning, Boncz, Manegold & Kersten 1999).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["distinct"]

_PARTS = 64
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd, and irregular in its bits: a product's highest bits depend on all of a number (Knuth 1973, 6.4)."""


def distinct(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct values of a column.

    Parameters
    ----------
    numbers : ndarray of int64 of shape (n,)

    Returns
    -------
    codes : ndarray of int32 of shape (n,)
        The same for equal numbers; from 0, in no particular order.
    first : ndarray of int64 of shape (n_distinct,)
        Where the number of each code is met first.

    Examples
    --------
    >>> codes, first = distinct(np.array([70, 8, 70, 8, 8]))
    >>> (codes == codes[0]).tolist(), sorted(first.tolist())
    ([True, False, True, False, False], [0, 1])
    """
    part = (numbers.view(np.uint64) * _SPREAD >> np.uint64(58)).astype(np.uint8)
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=_PARTS))
    codes, first, count = np.empty(len(numbers), np.int32), [np.zeros(0, np.int64)], 0
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        rows = order[start:end]
        encoded = pc.dictionary_encode(pa.array(numbers[rows]))
        mine = encoded.indices.to_numpy()
        codes[rows] = mine + np.int32(count)
        greatest = np.maximum.accumulate(np.append(np.int32(-1), mine))
        first.append(rows[mine > greatest[:-1]])
        count += len(encoded.dictionary)
    return codes, np.concatenate(first)
