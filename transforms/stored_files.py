"""Stored files: opened wherever they lie, and their plain bytes if they are compressed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

__all__ = ["decompressed", "open_file"]


def open_file(path: str) -> IO[bytes]:
    """Open a stored file for reading, as it is, on any filesystem that Beam knows."""
    if "://" not in path:
        return open(path, "rb", buffering=0)
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


@contextlib.contextmanager
def decompressed(stream: IO[bytes], compression: str) -> Iterator[Any]:
    """The stream's plain bytes."""
    if compression == "none":
        yield stream
    else:
        with pa.CompressedInputStream(pa.PythonFile(stream, "r"), compression) as plain:
            yield plain
