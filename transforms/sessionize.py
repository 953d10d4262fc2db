"""Buckets of events cut into sessions and journeys, written as `touchpoints` and `sessions`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.config import Config
from contracts.lake import DataFile
from models.touchpoints import build_touchpoints
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts

__all__ = ["Sessionize", "write_table"]


_STATISTICS = ("customer_id", "event_time", "started_at")
"""Columns that readers prune by; statistics of all columns would cost a third of the writing."""


def write_table(root: str, path: str, table: pa.Table, **partition: int | str) -> DataFile:
    """Write a table as one Parquet file that appears when it is whole."""
    target = Path(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    encoded = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    pq.write_table(
        table,
        temporary,
        compression="zstd",
        compression_level=1,
        row_group_size=1 << 17,
        store_schema=False,
        use_dictionary=encoded,
        write_statistics=[name for name in _STATISTICS if name in table.column_names],
    )
    temporary.replace(target)
    return DataFile(path, len(table), dict(partition))


@dataclass(frozen=True)
class _SessionizeBucket:
    root: str
    config: Config
    name: str

    def __call__(self, element: tuple[int, Iterable[Part]]) -> Iterator[tuple[str, Any]]:
        bucket, parts = element
        tables = [table for _, table in read_parts(parts)]
        events = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        del tables
        cut = build_touchpoints(events, self.config)
        for table, rows in (("touchpoints", cut.touchpoints), ("sessions", cut.sessions)):
            path = f"tables/{table}/bucket={bucket:04d}/{self.name}.parquet"
            yield table, write_table(self.root, path, rows, bucket=bucket)
        for source, lines in cut.folded_lines.items():
            yield "accounting", {"source": source, "kind": "folded_lines", "events": lines}


class Sessionize(beam.PTransform):
    """(bucket, Part) to files of `touchpoints` and `sessions`, one of each a bucket.

    `name` is the file name of this state of the tables.
    """

    def __init__(self, root: str, config: Config, name: str, threads: int) -> None:
        super().__init__()
        self._kernel = _SessionizeBucket(root, config, name)
        self._threads = threads

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        return (
            parts
            | "GroupBuckets" >> beam.GroupByKey()
            | "SessionizeBuckets" >> Kernel(self._kernel, self._threads)
        )
