"""Blocks: the bytes of a slice, cut at record ends, as much of them at once as may be held in memory.

A record that is longer than allowed is passed over in the stream; only its length is kept. A compressed file is read no
further when it has become many times larger than it looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.sources import Source
from transforms.limits import Limits
from transforms.plan_files import Slice
from transforms.record_ends import Block, is_quoted, record_ends
from transforms.stored_files import decompressed, open_file

__all__ = ["Refused", "TooLong", "blocks_of", "line_ends"]

_HARMLESS_BYTES = 64 << 20
_MOST_RECORDS = 1 << 19
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class TooLong:
    """A record that was passed over because it is longer than allowed: its bytes, and the line ends among them."""

    size: int
    lines: int


class Refused(Exception):
    """Nothing more is read of a file: reason code and message."""


def blocks_of(
    piece: Slice, source: Source, limits: Limits
) -> Iterator[tuple[Block, np.ndarray] | TooLong]:
    """The slice's bytes, cut at record ends where the format allows it, with the record starts of each block.

    About ``limits.slice`` at once, and fewer where they hold very many records, for short lines take more memory mapped
    than read. Starts are offsets (int64), and the last is the end of the last whole record.

    Raises
    ------
    Refused
        If the rest of the file is not to be read.
    """
    for block in _blocks(piece, source, limits):
        if isinstance(block, TooLong):
            yield block
            continue
        starts = _line_starts(block, is_quoted(source))
        for first in range(0, len(starts), _MOST_RECORDS):
            some = starts[first : first + _MOST_RECORDS + 1]
            end = some[-1] if first + len(some) < len(starts) else len(block)
            if end > some[0]:
                yield block[some[0] : end], some - some[0]
            if end == len(block):
                break


def _blocks(piece: Slice, source: Source, limits: Limits) -> Iterator[Block | TooLong]:
    with open_file(piece.path) as stream:
        if piece.compression == "none":
            stream.seek(piece.start)
            size = piece.end - piece.start
            if source.format == "json" or size <= limits.slice + limits.record:
                block = _read_exactly(stream, size)
                yield _without_mark(block) if piece.start == 0 else block
                return
            yield from _cut(_Rest(stream, size), source, limits, marked=piece.start == 0)
            return
        with decompressed(stream, piece.compression) as plain:
            counted = _Expanding(plain, piece.end, limits)
            if source.format != "json":
                yield from _cut(counted, source, limits, marked=True)
                return
            document = counted.read(limits.document + 1)
            if len(document) > limits.document:
                raise Refused("document_too_large", limits.too_large("document", None))
            yield _without_mark(document)


def _without_mark(block: Block) -> Block:
    """The beginning of a file without its byte order mark."""
    return block[len(_BYTE_ORDER_MARK) :] if block[:3] == _BYTE_ORDER_MARK else block


class _Rest:
    """A stream that ends after so many bytes."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int) -> bytes:
        block: bytes = self._stream.read(min(size, self._left))
        self._left -= len(block)
        return block


class _Expanding:
    """The plain bytes of a compressed stream, refused when they have become too many."""

    def __init__(self, plain: Any, stored: int, limits: Limits) -> None:
        self._plain, self._stored, self._limits = plain, stored, limits
        self._read = 0

    def read(self, size: int) -> bytes:
        block: bytes = self._plain.read(size)
        self._read += len(block)
        if self._read > max(_HARMLESS_BYTES, self._limits.expansion * self._stored):
            message = self._limits.too_dense(self._stored, self._read)
            raise Refused("expands_too_much", message)
        return block


def _reads(stream: Any, size: int, marked: bool) -> Iterator[bytes]:
    """The stream in pieces; it may give fewer bytes at once than a byte order mark has."""
    first = b""
    while marked and len(first) <= len(_BYTE_ORDER_MARK) and (block := stream.read(size)):
        first += block
    if first := bytes(_without_mark(first)):
        yield first
    while block := stream.read(size):
        yield block


def _cut(stream: Any, source: Source, limits: Limits, *, marked: bool) -> Iterator[Block | TooLong]:
    """Blocks of whole records of a stream, which may begin with a byte order mark; of a record that is too long only
    the length is kept.
    """
    quoted = is_quoted(source)
    rest, skipped, lines, quotes = b"", 0, 0, 0
    for read in _reads(stream, limits.slice, marked):
        block = read
        if skipped:
            ends = record_ends(block, quoted, quotes)
            end = int(ends[0]) if len(ends) else 0
            passed = block[: end or len(block)]
            skipped += len(passed)
            lines += passed.count(b"\n")
            quotes += passed.count(b'"')
            if not end:
                continue
            yield TooLong(skipped, lines)
            skipped, block = 0, block[end:]
        block = rest + block if rest else block
        end = int(_line_starts(block, quoted)[-1])
        rest = block[end:]
        if end:
            yield block[:end]
        if len(rest) > limits.record:
            skipped, lines, quotes = len(rest), rest.count(b"\n"), rest.count(b'"')
            rest = b""
    if skipped:
        yield TooLong(skipped, lines)
    elif rest:
        yield rest


def _read_exactly(stream: Any, size: int) -> memoryview:
    """The next bytes, fewer at the end of the file, in memory of numpy's: it asks for huge pages, and
    to touch thousands of small ones takes longer than the reading.
    """
    block = np.empty(size, np.uint8).data
    read = 0
    while read < size and (taken := stream.readinto(block[read:])):
        read += taken
    return block[:read]


def _line_starts(block: Block, quoted: bool) -> np.ndarray:
    """Offsets of record starts, and of the end of the last whole record (int64, at least one)."""
    return np.concatenate(([0], record_ends(block, quoted)))


def line_ends(block: Block) -> int:
    """How many lines end in the block."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))
