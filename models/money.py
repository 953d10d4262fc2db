"""Money as whole units of a ten-thousandth, so that sums do not depend on their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["MONEY", "from_units", "to_units"]

MONEY = pa.decimal128(18, 4)


def to_units(money: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Ten-thousandths as int64; null counts as 0.

    >>> to_units(pa.array(["1.5", None]).cast(MONEY))
    array([15000,     0])
    """
    whole = money.combine_chunks() if isinstance(money, pa.ChunkedArray) else money
    if len(whole) == 0:
        return np.zeros(0, np.int64)
    # A decimal of 18 digits fits the lower half of its 16 bytes, two's complement.
    halves = np.frombuffer(whole.buffers()[1], np.int64)
    units = halves[2 * whole.offset : 2 * (whole.offset + len(whole)) : 2].copy()
    if whole.null_count:
        units[~whole.is_valid().to_numpy(zero_copy_only=False)] = 0
    return units


def from_units(units: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    """The inverse of `to_units`; null where `valid` is false.

    >>> from_units(np.array([15000, -1])).to_pylist()
    [Decimal('1.5000'), Decimal('-0.0001')]
    """
    halves = np.empty(2 * len(units), np.int64)
    halves[0::2] = units
    halves[1::2] = np.where(units < 0, -1, 0)
    mask = None if valid is None else pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(MONEY, len(units), [mask, pa.py_buffer(halves)])
