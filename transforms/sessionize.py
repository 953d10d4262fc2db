"""Buckets of events cut into sessions and journeys, written as `touchpoints` and `sessions`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from contracts.config import Config
from models.touchpoints import build_touchpoints
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts
from transforms.write_table import write_table

__all__ = ["Sessionize"]


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
