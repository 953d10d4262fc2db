"""Reading: a slice of a file becomes Arrow tables of raw records.

Lines are not split in Python: an Arrow string array is laid over the bytes, with offsets found by
numpy. What cannot be read at all (bytes that are no UTF-8, rows with the wrong number of fields) is set
aside as `Unreadable` with its place, never dropped.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from contracts.sources import Source
from contracts.sql_text import literal
from models.engine import query
from models.source_sql import PLACE, POSITION
from transforms.blocks import Refused, TooLong, blocks_of, line_ends
from transforms.limits import Limits
from transforms.plan_files import UNREADABLE_PARQUET, Slice
from transforms.record_ends import Block
from transforms.stored_files import open_file

__all__ = ["RawBatch", "Unreadable", "read_slice"]

_MANY_RUNS = 256
_NEWLINE = ord("\n")
_BLANKS = b" \r\n"
"""What a line may hold and be no record; a tab is a field's end."""


@dataclass(frozen=True)
class Unreadable:
    """A record that is no record: its place, why, what to do, and its bytes (for its hash only)."""

    position: int
    reason: str
    message: str
    content: bytes


@dataclass(frozen=True)
class RawBatch:
    """Raw records: `POSITION` and `record` (JSON text) or the columns of the file as text."""

    table: pa.Table
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def records(self) -> int:
        """How many records were found."""
        return len(self.table) + len(self.unreadable)


def read_slice(piece: Slice, source: Source, limits: Limits) -> Iterator[RawBatch]:
    """Raw records of a slice, about ``limits.slice`` at once; what is over a limit is set aside unread."""
    position = piece.first_position
    if piece.refused:
        yield _aside(position, *piece.refused)
        return
    if source.format == "parquet":
        yield _parquet(piece)
        return
    try:
        for found in blocks_of(piece, source, limits):
            if isinstance(found, TooLong):
                yield _aside(position, "record_too_large", limits.too_long(found.size))
                position += found.lines
                continue
            block, lines = found
            delimited = source.format in ("csv", "tsv")
            if delimited:
                skip = source.columns is None and position == 1
                batch = _delimited(
                    bytes(block), lines, position, piece.columns, source, skip, limits
                )
            elif source.format == "json":
                batch = _exploded(_document(bytes(block)), source.records or ("$[*]",))
            else:
                batch = _json_lines(block, lines, position, limits)
                batch = _exploded(batch, source.records) if source.records else batch
            yield batch
            # A quoted field may hold line ends; elsewhere a record ends with its line.
            position += line_ends(block) if delimited else len(lines) - 1
    except Refused as refused:
        yield _aside(position, *refused.args)
    except (OSError, EOFError) as error:
        fix = f"the file ends or breaks here ({error}); have it delivered again"
        yield _aside(position, "unreadable_file", fix)


_NOTHING = pa.table({POSITION: pa.array([], pa.int64()), "record": pa.array([], pa.string())})


def _aside(position: int, reason: str, message: str) -> RawBatch:
    return RawBatch(_NOTHING, (Unreadable(position, reason, message, b""),))


def _with_last_line(starts: np.ndarray, block: Block) -> np.ndarray:
    """A last line without line end is a line."""
    return starts if starts[-1] == len(block) else np.append(starts, len(block))


def _json_lines(block: Block, starts: np.ndarray, first: int, limits: Limits) -> RawBatch:
    offsets = _with_last_line(starts, block).astype(np.int32)
    count = len(offsets) - 1
    records = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(block))
    positions = pa.array(np.arange(first, first + count))
    lengths = np.diff(offsets)
    keep = np.ones(count, bool)
    short = np.flatnonzero(lengths <= 16)
    keep[[i for i in short.tolist() if not _line(block, offsets, i).strip()]] = False
    unreadable = []
    for i in np.flatnonzero(lengths > limits.record).tolist():
        keep[i] = False
        message = limits.too_long(lengths[i])
        unreadable.append(Unreadable(first + i, "record_too_large", message, b""))
    for i, message in _broken_utf8(block, records, offsets).items():
        if keep[i]:
            keep[i] = False
            content = _line(block, offsets, i)
            unreadable.append(Unreadable(first + i, "invalid_utf8", message, content))
    table = pa.table({POSITION: positions, "record": records})
    return RawBatch(_kept_runs(table, keep), tuple(unreadable))


def _line(block: Block, offsets: np.ndarray, number: int) -> bytes:
    return bytes(block[offsets[number] : offsets[number + 1]])


def _kept_runs(table: pa.Table, keep: np.ndarray) -> pa.Table:
    """The kept rows as slices of the table; nothing is copied, so what is left out is never looked at."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], keep, [False])).astype(np.int8)))
    runs = [table.slice(start, end - start) for start, end in edges.reshape(-1, 2).tolist()]
    kept = pa.concat_tables(runs) if runs else table.slice(0, 0)
    return kept.combine_chunks() if len(runs) > _MANY_RUNS else kept


def _broken_utf8(block: Block, records: pa.StringArray, offsets: np.ndarray) -> dict[int, str]:
    """Lines that are no UTF-8, and what is wrong with each."""
    if len(records) == 0:
        return {}
    highest = np.maximum.reduceat(np.frombuffer(block, np.uint8), offsets[:-1])
    beyond_ascii = np.flatnonzero(highest >= 0x80)
    try:
        records.take(pa.array(beyond_ascii)).validate(full=True)
    except pa.ArrowInvalid:
        found = {i: _utf8_problem(_line(block, offsets, i)) for i in beyond_ascii.tolist()}
        return {i: message for i, message in found.items() if message}
    return {}


def _is_utf8(content: bytes) -> bool:
    offsets = pa.py_buffer(np.array([0, len(content)], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(content)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _utf8_problem(content: bytes) -> str:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is no UTF-8; have the producer send UTF-8"
    return ""


def _document(block: bytes) -> RawBatch:
    if problem := _utf8_problem(block):
        return RawBatch(_NOTHING, (Unreadable(1, "invalid_utf8", problem, block),))
    table = pa.table({POSITION: pa.array([1], pa.int64()), "record": [block.decode()]})
    return RawBatch(table)


def _exploded(raw: RawBatch, paths: tuple[str, ...]) -> RawBatch:
    """Documents cut into the records they hold; `PLACE` numbers the records of each."""
    choices = "".join(
        f"WHEN json_exists(record, {literal(path.removesuffix('[*]'))})"
        f"{_is_array(path)} THEN {_extracted(path)}\n"
        for path in paths
    )
    table = query(
        f"""
        WITH documents AS (
          SELECT "{POSITION}", record, CASE WHEN NOT json_valid(record) THEN [record]
          {choices} ELSE [record] END AS records
          FROM raw
        )
        SELECT "{POSITION}", generate_subscripts(records, 1) AS "{PLACE}", unnest(records)::VARCHAR AS record
        FROM documents
        """,
        raw=raw.table,
    )
    return RawBatch(table, raw.unreadable)


def _is_array(path: str) -> str:
    if not path.endswith("[*]"):
        return ""
    return f" AND json_type(record, {literal(path.removesuffix('[*]'))}) = 'ARRAY'"


def _extracted(path: str) -> str:
    extracted = f"json_extract(record, {literal(path)})"
    return f"{extracted}::VARCHAR[]" if path.endswith("[*]") else f"[{extracted}::VARCHAR]"


def _delimited(
    block: bytes,
    starts: np.ndarray,
    first_line: int,
    columns: tuple[str, ...],
    source: Source,
    skip_header: bool,
    limits: Limits,
) -> RawBatch:
    bounds = _with_last_line(starts, block)
    newlines = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
    lines = first_line + np.searchsorted(newlines, bounds[:-1])
    if skip_header:
        if source.quoting and len(bounds) > 1 and block[: bounds[1]].count(b'"') % 2:
            message = "the header opens a quote that nothing closes; quote fields as RFC 4180 does"
            unreadable = Unreadable(1, "broken_quotes", message, b"")
            return RawBatch(_columns_of((), columns, ()), (unreadable,))
        bounds, lines = bounds[1:], lines[1:]
    content = block[bounds[0] :]
    if not content.strip(_BLANKS):
        return RawBatch(_columns_of((), columns, ()))
    delimiter = "\t" if source.format == "tsv" else ","
    unclosed = source.quoting and content.count(b'"') % 2  # Arrow would close it at the end
    too_long = np.diff(bounds).max() > limits.record
    if unclosed or too_long or not _is_utf8(content):
        return _row_by_row(block, bounds, lines, columns, source, delimiter, limits)
    broken: list[int] = []

    def set_aside(row: pcsv.InvalidRow) -> str:
        broken.append(row.number)
        return "skip"

    parse = pcsv.ParseOptions(
        delimiter=delimiter,
        quote_char='"' if source.quoting else False,
        newlines_in_values=source.quoting,
        invalid_row_handler=set_aside,
    )
    read = pcsv.ReadOptions(
        column_names=list(columns), use_threads=False, block_size=len(content) + 1
    )
    convert = pcsv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
    )
    try:
        table = pcsv.read_csv(pa.py_buffer(content), read, parse, convert)
    except pa.ArrowInvalid:
        return _row_by_row(block, bounds, lines, columns, source, delimiter, limits)
    blank = (
        [i for i in range(len(bounds) - 1) if not block[bounds[i] : bounds[i + 1]].strip(_BLANKS)]
        if (len(table) + len(broken) != len(bounds) - 1)
        else []
    )
    if broken or len(table) + len(blank) != len(bounds) - 1:
        return _row_by_row(block, bounds, lines, columns, source, delimiter, limits)
    positions = np.delete(lines, blank)
    return RawBatch(table.add_column(0, POSITION, pa.array(positions)))


def _row_by_row(
    block: bytes,
    bounds: np.ndarray,
    lines: np.ndarray,
    columns: tuple[str, ...],
    source: Source,
    delimiter: str,
    limits: Limits,
) -> RawBatch:
    """The careful way, for a slice with broken rows: every record is parsed alone, and as
    forgivingly as Arrow does it, so that its neighbours do not decide whether it can be read.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if source.quoting else csv.QUOTE_NONE
    csv.field_size_limit(limits.record)  # as long as Arrow lets them be
    rows, positions, unreadable = [], [], []
    for (start, end), line in zip(itertools.pairwise(bounds.tolist()), lines.tolist(), strict=True):
        if end - start > limits.record:
            message = limits.too_long(end - start)
            unreadable.append(Unreadable(line, "record_too_large", message, b""))
            continue
        content = block[start:end]
        if not content.strip(_BLANKS):
            continue
        if problem := _utf8_problem(content):
            unreadable.append(Unreadable(line, "invalid_utf8", problem, content))
            continue
        text = io.StringIO(content.decode().rstrip("\r\n"), newline="")
        if source.quoting and content.count(b'"') % 2:
            message = "a quote is opened and not closed; quote fields as RFC 4180 does"
            unreadable.append(Unreadable(line, "broken_quotes", message, content))
            continue
        try:
            parsed = list(csv.reader(text, delimiter=delimiter, quoting=quoting))
        except csv.Error as error:
            message = f"the record is no line of {source.format.upper()} ({error})"
            unreadable.append(Unreadable(line, "broken_record", message, content))
            continue
        if len(parsed) != 1 or len(parsed[0]) != len(columns):
            found = len(parsed[0]) if len(parsed) == 1 else 0
            message = f"the record has {found} fields, the header has {len(columns)}"
            unreadable.append(Unreadable(line, "wrong_field_count", message, content))
            continue
        rows.append(parsed[0])
        positions.append(line)
    return RawBatch(_columns_of(positions, columns, rows), tuple(unreadable))


def _columns_of(positions: Any, columns: tuple[str, ...], rows: Any) -> pa.Table:
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    table = {POSITION: pa.array(positions, pa.int64())}
    return pa.table(
        table | {c: pa.array(v, pa.string()) for c, v in zip(columns, values, strict=True)}
    )


def _parquet(piece: Slice) -> RawBatch:
    try:
        with open_file(piece.path) as stream:
            groups = list(range(piece.start, piece.end))
            table = pq.ParquetFile(stream).read_row_groups(groups)
    except (pa.ArrowException, OSError) as error:
        return _aside(piece.first_position, "unreadable_file", UNREADABLE_PARQUET.format(error))
    columns = {POSITION: pa.array(np.arange(len(table)) + piece.first_position)}
    for name in table.column_names:
        if not pa.types.is_nested(table.schema.field(name).type):
            columns[name] = pc.cast(table[name], pa.string())
    return RawBatch(pa.table(columns))
