"""Parts: tables on disk, which travel between workers as references (docs/adr/0002).

A worker that splits a table over keys writes one file with an Arrow IPC stream for each key; the `Part` says where in
it. Whoever gets the reference maps the file into memory and reads it. (Arrow's IPC file format, with all
batches listed at its end, would be opened for each batch, which takes longer than to read a small one.)
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

__all__ = ["Part", "in_batches", "read_parts", "spill", "spill_each", "split"]

_Key = TypeVar("_Key")

_ALONE = pa.ipc.IpcReadOptions(use_threads=False)
"""A kernel unpacks its columns itself: handing each to Arrow's pool and waiting for it costs several times as much."""


@dataclass(frozen=True)
class Part:
    """An IPC stream of one batch within a file; its first row is row `first_row` of the file."""

    path: str
    offset: int
    first_row: int
    rows: int


def split(table: pa.Table, codes: np.ndarray) -> Iterator[tuple[int, pa.Table]]:
    """Cut a table by an integer code a row: pairs of code and rows, codes ascending, order kept.

    >>> [(c, t["x"].to_pylist()) for c, t in split(pa.table({"x": [1, 2, 3]}), np.array([1, 0, 1]))]
    [(0, [2]), (1, [1, 3])]
    """
    if len(codes) == 0:
        return
    if codes.min() == codes.max():
        yield int(codes[0]), table
        return
    if np.any(codes[1:] < codes[:-1]):
        order = np.argsort(codes, kind="stable")
        table, codes = table.take(order), codes[order]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    ends = np.r_[starts[1:], len(codes)]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield int(codes[start]), table.slice(start, end - start)


def spill(
    table: pa.Table,
    codes: np.ndarray,
    folder: str | Path,
    name: str,
    *,
    compression: str | None = "lz4",
) -> list[tuple[int, Part]]:
    """Write a table as one file with an IPC stream for each code, codes ascending."""
    if len(table) == 0:
        return []
    return spill_each(split(table.combine_chunks(), codes), folder, name, compression=compression)


def spill_each(
    tables: Iterable[tuple[_Key, pa.Table]],
    folder: str | Path,
    name: str,
    *,
    compression: str | None = "lz4",
) -> list[tuple[_Key, Part]]:
    """Write tables as one file with an IPC stream for each.

    `name` tells what the rows were made from and so gives parts an order that is the same in every
    run. A random part is added: a retried worker cannot disturb what another refers to. Hashes do not
    get smaller: without compression they are read where they lie.
    """
    path = os.path.join(folder, f"{name}-{uuid.uuid4().hex}.arrows")
    options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
    parts: list[tuple[_Key, Part]] = []
    first_row = 0
    with pa.OSFile(f"{path}.tmp", "wb") as file:
        for key, rows in tables:
            parts.append((key, Part(path, file.tell(), first_row, len(rows))))
            with pa.ipc.new_stream(file, rows.schema, options=options) as writer:
                writer.write_batch(rows.combine_chunks().to_batches()[0])
            first_row += len(rows)
    os.replace(f"{path}.tmp", path)
    return parts


def read_parts(parts: Iterable[Part]) -> Iterator[tuple[Part, pa.Table]]:
    """Read parts one by one, in the order of the names they were spilled under."""
    ordered = sorted(parts, key=lambda part: (part.path, part.offset))
    for path, group in itertools.groupby(ordered, key=lambda part: part.path):
        with pa.memory_map(path) as file:
            for part in group:
                file.seek(part.offset)
                with pa.ipc.open_stream(file, options=_ALONE) as reader:
                    yield part, pa.Table.from_batches([reader.read_next_batch()])


def in_batches(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Join tables until they have at least `rows` rows; their schemas may differ in null columns."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        if count >= rows:
            yield _joined(waiting)
            waiting, count = [], 0
    if count:
        yield _joined(waiting)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()
