"""Where records end among bytes: at line ends, but for those that a CSV quotes."""

from __future__ import annotations

import numpy as np

from contracts.sources import Source

__all__ = ["Block", "is_quoted", "record_ends"]

Block = bytes | memoryview

_CACHED = 1 << 19
_NEWLINE, _QUOTE = ord("\n"), ord('"')


def is_quoted(source: Source) -> bool:
    """Whether line ends of a source's files may be quoted."""
    return source.format in ("csv", "tsv") and source.quoting


def record_ends(block: Block, quoted: bool, quotes_before: int = 0) -> np.ndarray:
    r"""Offsets just after each line end that ends a record (ascending int64).

    Parameters
    ----------
    block : bytes or memoryview
    quoted : bool
        Whether line ends may be quoted: one ends a record if the number of quotes before it is even (RFC 4180).
    quotes_before : int
        Quotes of the record that the block begins in.

    Examples
    --------
    >>> record_ends(b'a\n"b\nc"\n', True), record_ends(b'b\nc"\n', True, 1)
    (array([2, 8]), array([5]))
    """
    data = np.frombuffer(block, np.uint8)
    ends = _places(data, _NEWLINE) + 1
    if quoted:
        ends = ends[(quotes_before + np.searchsorted(_places(data, _QUOTE), ends)) % 2 == 0]
    return ends


def _places(data: np.ndarray, value: int) -> np.ndarray:
    r"""Indices of a byte that is rare; eight are looked at in one go, in the processor's cache.

    >>> _places(np.frombuffer(b"a\nbc\n", np.uint8), 10)
    array([1, 4])
    """
    mask = np.zeros(_CACHED, bool)
    words = mask.view(np.uint64)
    at, hits = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for start in range(0, len(data), _CACHED):
        piece = data[start : start + _CACHED]
        np.equal(piece, value, out=mask[: len(piece)])
        mask[len(piece) :] = False
        some = np.flatnonzero(words != 0)
        at.append(some + start // 8)
        hits.append(words[some])
    bytes_hit = np.flatnonzero(np.concatenate(hits).view(np.uint8))
    return np.concatenate(at)[bytes_hit // 8] * 8 + bytes_hit % 8
