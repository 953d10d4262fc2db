"""Planning: which bytes of which file a worker reads.

A file is read once to hash its content and to find where it can be cut. Lines are cut at line
ends; a CSV that may quote line ends is cut where the number of quotes before is even, which is a
record's end in RFC 4180. Compressed files and JSON documents cannot be cut. Line numbers are counted on the
way, so that every record can be named by its line however the file was split.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from contracts.config import Config
from contracts.errors import InputError
from contracts.sources import Source
from transforms.limits import Limits
from transforms.record_ends import is_quoted, record_ends
from transforms.stored_files import decompressed, open_file

__all__ = [
    "UNREADABLE_PARQUET",
    "PlannedFile",
    "Slice",
    "SourceFile",
    "list_files",
    "plan_file",
    "slices_expected",
]

UNREADABLE_PARQUET = "the file is no whole Parquet file ({}); have it delivered again"
"""What is said of such a file; the braces take the reason."""
_BLOCK = 1 << 20
_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """A file as listed: enough to know whether it was read before."""

    source: str
    path: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class Slice:
    """Part of a file: bytes [start, end), or row groups [start, end) of a Parquet file."""

    source: str
    path: str
    file_id: str
    start: int
    end: int
    first_position: int
    columns: tuple[str, ...] = ()
    compression: str = "none"
    refused: tuple[str, str] | None = None
    """Reason code and message, if it is not to be read."""


@dataclass(frozen=True)
class PlannedFile:
    """A file, its content's hash, and its slices."""

    file: SourceFile
    file_id: str
    slices: tuple[Slice, ...]


def list_files(config: Config) -> list[SourceFile]:
    """All files of all sources, sorted by source and path.

    Raises
    ------
    InputError
        If a pattern matches no file, or something that must not be read: a folder, a pipe or a device, a file of the
        warehouse, a name that is no UTF-8.
    """
    found: dict[tuple[str, str], SourceFile] = {}
    missing = []
    warehouse = config.warehouse.resolve()
    for name, source in config.sources.items():
        for pattern in source.paths:
            (match,) = FileSystems.match([pattern])
            if not match.metadata_list:
                missing.append(f"sources.{name}.paths: nothing matches {pattern}")
            for metadata in match.metadata_list:
                if reason := _unfit(metadata.path, warehouse):
                    missing.append(
                        f"sources.{name}.paths: {pattern} matches {metadata.path!r}, {reason}"
                    )
                    continue
                modified = datetime.fromtimestamp(metadata.last_updated_in_seconds or 0, UTC)
                file = SourceFile(name, metadata.path, metadata.size_in_bytes, modified)
                found[name, metadata.path] = file
    if missing:
        raise InputError("\n".join(missing))
    return [found[key] for key in sorted(found)]


def _unfit(path: str, warehouse: Path) -> str:
    """Why a path must not be read, and what to do; empty if it may be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "a name that is no UTF-8; rename the file"
    if "://" in path:
        return ""
    if not Path(path).is_file():
        return "which is no file but a folder, a pipe or a device; name its files, or take it away"
    if Path(path).resolve().is_relative_to(warehouse):
        return "a file of the warehouse; let the pattern name the raw files alone"
    return ""


def _compression(source: Source, path: str) -> str:
    if source.compression != "auto":
        return source.compression
    return {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}.get(os.path.splitext(path)[1], "none")


def _is_cuttable(source: Source, path: str) -> bool:
    return _compression(source, path) == "none" and source.format in ("jsonl", "csv", "tsv")


def slices_expected(file: SourceFile, config: Config) -> int:
    """About how many slices a file will be cut into; it is not read for that."""
    source = config.sources[file.source]
    if source.format == "parquet":
        with open_file(file.path) as stream:
            return int(pq.ParquetFile(stream).metadata.num_row_groups)
    if not _is_cuttable(source, file.path):
        return min(1, file.bytes)
    return -(-file.bytes // max(config.lake.slice_mb << 20, _BLOCK))


def plan_file(file: SourceFile, config: Config) -> PlannedFile:
    """Hash a file and cut it into slices of about ``lake.slice_mb``."""
    source = config.sources[file.source]
    compression = _compression(source, file.path)
    cuttable = _is_cuttable(source, file.path)
    quoted = is_quoted(source)
    limits = Limits.of(config.lake)
    digest = hashlib.sha256()
    cuts = [(0, 1)]
    position, lines, quotes = 0, 0, 0
    with open_file(file.path) as stream:
        for block in iter(lambda: stream.read(_BLOCK), b""):
            digest.update(block)
            if cuttable:
                if position + len(block) - cuts[-1][0] > limits.slice:
                    cut = _cut_within(block, quotes, quoted)
                    if cut:
                        cuts.append((position + cut, lines + block.count(b"\n", 0, cut) + 1))
                lines += block.count(b"\n")
                quotes += block.count(b'"') if quoted else 0
            position += len(block)
    file_id = digest.hexdigest()[:32]
    if source.format == "parquet":
        return PlannedFile(file, file_id, tuple(_row_groups(file, file_id, limits)))
    columns = _header(file, source, compression)
    whole = Slice(file.source, file.path, file_id, 0, position, 1, (), compression)
    if len(columns) > limits.columns:
        wide = replace(whole, refused=("too_many_columns", limits.too_wide(len(columns))))
        return PlannedFile(file, file_id, (wide,))
    if source.format == "json" and compression == "none" and position > limits.document:
        told = limits.too_large("document", position)
        large = replace(whole, refused=("document_too_large", told))
        return PlannedFile(file, file_id, (large,))
    ends = [start for start, _ in cuts[1:]] + [position]
    slices = tuple(
        Slice(file.source, file.path, file_id, start, end, line, columns, compression)
        for (start, line), end in zip(cuts, ends, strict=True)
        if end > start
    )
    return PlannedFile(file, file_id, slices)


def _cut_within(block: bytes, quotes_before: int, quoted: bool) -> int:
    """Offset just after the first line end in the block that ends a record; 0 if there is none."""
    if not quoted:
        return block.find(b"\n") + 1
    ends = record_ends(block, quoted, quotes_before)
    return int(ends[0]) if len(ends) else 0


def _header(file: SourceFile, source: Source, compression: str) -> tuple[str, ...]:
    """Column names of a CSV or TSV: declared, or its first record."""
    if source.format not in ("csv", "tsv"):
        return ()
    if source.columns is not None:
        return source.columns
    try:
        with open_file(file.path) as stream, decompressed(stream, compression) as plain:
            start = io.BytesIO(plain.read(_HEADER_BYTES)).getvalue().decode("utf-8-sig", "replace")
    except (OSError, EOFError):
        return ()  # who reads on meets the same error, and tells it
    delimiter = "\t" if source.format == "tsv" else ","
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if source.quoting else csv.QUOTE_NONE
    csv.field_size_limit(_HEADER_BYTES)
    header = csv.reader(io.StringIO(start), delimiter=delimiter, quoting=quoting)
    return _distinct(next(header, []))


_OURS = ("@position", "@place")
"""Columns that the reader adds (`models.mapping`)."""


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Column names that can be told apart: one that is empty, ours, or there before is called by its number.

    Case makes no difference to SQL, so it makes none here.

    >>> _distinct(["id", "", "ID", "total"])
    ('id', 'column 2', 'column 3', 'total')
    """
    found: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        given = name.replace("\0", "")
        if not given.strip() or given.casefold() in (*found, *_OURS):
            given = f"column {number}"
        while given.casefold() in found:
            given += "'"
        found[given.casefold()] = given
    return tuple(found.values())


def _row_groups(file: SourceFile, file_id: str, limits: Limits) -> Iterator[Slice]:
    nothing = Slice(file.source, file.path, file_id, 0, 0, 1)
    try:
        with open_file(file.path) as stream:
            metadata = pq.ParquetFile(stream).metadata
    except (pa.ArrowException, OSError) as error:
        yield replace(nothing, refused=("unreadable_file", UNREADABLE_PARQUET.format(error)))
        return
    if metadata.num_columns > limits.columns:
        told = limits.too_wide(metadata.num_columns)
        yield replace(nothing, refused=("too_many_columns", told))
        return
    position = 1
    for group in range(metadata.num_row_groups):
        piece = replace(nothing, start=group, end=group + 1, first_position=position)
        size = metadata.row_group(group).total_byte_size
        if size > limits.document:
            told = limits.too_large("row group", size)
            piece = replace(piece, refused=("document_too_large", told))
        yield piece
        position += metadata.row_group(group).num_rows
