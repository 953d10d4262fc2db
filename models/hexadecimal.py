"""Hashes written as text, for whole arrays at once."""

from __future__ import annotations

import binascii

import numpy as np
import pyarrow as pa

__all__ = ["hashes_of", "hex_text"]


def hex_text(hashes: np.ndarray, prefix: str = "") -> pa.StringArray:
    """64-bit hashes as 16 hex digits after an optional prefix.

    >>> hex_text(np.array([255], np.uint64), "s").to_pylist()
    ['s00000000000000ff']
    """
    digits = np.frombuffer(binascii.hexlify(hashes.astype(">u8").tobytes()), np.uint8).reshape(
        -1, 16
    )
    width = 16 + len(prefix)
    text = np.empty((len(hashes), width), np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), np.uint8)
    text[:, len(prefix) :] = digits
    offsets = np.arange(len(hashes) + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(
        len(hashes), pa.py_buffer(offsets), pa.py_buffer(text.tobytes())
    )


def hashes_of(texts: pa.StringArray) -> np.ndarray:
    """The 64-bit hashes that `hex_text` wrote without a prefix: uint64 ndarray.

    >>> hashes_of(hex_text(np.array([255, 2**64 - 1], np.uint64))).tolist()
    [255, 18446744073709551615]
    """
    digits = "".join(texts.to_pylist())
    return np.frombuffer(binascii.unhexlify(digits), ">u8").astype(np.uint64)
