"""Tables of the lake written as Parquet, whole or piece by piece."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import DataFile

__all__ = ["write_pieces", "write_table"]

_GROUP_ROWS = 1 << 17
_STATISTICS = ("customer_id", "event_time", "started_at")
"""Columns that readers prune by; statistics of all columns would cost a third of the writing."""


def write_table(root: str, path: str, table: pa.Table, **partition: int | str) -> DataFile:
    """Write a table as one Parquet file that appears when it is whole."""
    return write_pieces(root, path, table.schema, [table], **partition)


def write_pieces(
    root: str, path: str, schema: pa.Schema, pieces: Iterable[pa.Table], **partition: int | str
) -> DataFile:
    """Write a table that comes in pieces as one Parquet file that appears when it is whole."""
    target = Path(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    rows = 0
    with pq.ParquetWriter(
        temporary,
        schema,
        compression="zstd",
        compression_level=1,
        store_schema=False,
        use_dictionary=[field.name for field in schema if pa.types.is_dictionary(field.type)],
        write_statistics=[name for name in _STATISTICS if name in schema.names],
    ) as writer:
        for piece in pieces:
            writer.write_table(piece, row_group_size=_GROUP_ROWS)
            rows += len(piece)
    temporary.replace(target)
    return DataFile(path, rows, dict(partition))
