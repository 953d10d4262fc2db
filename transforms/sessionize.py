"""Buckets of events cut into sessions and journeys, written as `touchpoints` and `sessions`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Config
from contracts.schemas import table_schema
from models.counts import codes
from models.dictionaries import in_one_chunk, together
from models.touched_customers import contains
from models.touchpoints import build_touchpoints
from transforms.bucket_changes import OldBucket, TouchedFile
from transforms.bucket_events import PLAIN
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts
from transforms.read_buckets import read_bucket, rows_of
from transforms.write_table import write_table

__all__ = ["Sessionize", "SessionizeAnew", "merge_customers"]


@dataclass(frozen=True)
class _SessionizeBucket:
    root: str
    config: Config
    name: str

    def __call__(self, element: tuple[int, Iterable[Part]]) -> Iterator[tuple[str, Any]]:
        bucket, parts = element
        events = together(table for _, table in read_parts(parts))
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


@dataclass(frozen=True)
class _SessionizeTouched:
    """The kernel: a bucket with the rows of touched customers made anew, and all others as they were."""

    root: str
    config: Config
    name: str
    file: TouchedFile

    def __call__(
        self, element: tuple[int, Iterable[Part | OldBucket]]
    ) -> Iterator[tuple[str, Any]]:
        bucket, values = element
        given = list(values)
        events = [table for _, table in read_parts(v for v in given if isinstance(v, Part))]
        old = next((value for value in given if isinstance(value, OldBucket)), None)
        kept: dict[str, pa.Table] = {}
        if old is not None:
            for table, file in (("touchpoints", old.touchpoints), ("sessions", old.sessions)):
                names = table_schema(table, attributes=self.config.attributes).names
                kept[table] = read_bucket(self.root, file.path, names, plain=PLAIN)
            rows, customer = rows_of(kept["touchpoints"], self.file.touched.customers)
            if not len(rows) and not events:
                yield "touchpoints", old.touchpoints
                yield "sessions", old.sessions
                return
            theirs = kept["touchpoints"].take(pa.array(rows))
            yield from self._unfolded(theirs)
            events.append(self._grown(theirs, customer))
        whole = pa.concat_tables(events, promote_options="permissive")
        cut = None
        if len(whole):
            cut = build_touchpoints(in_one_chunk(whole), self.config)
            for source, lines in cut.folded_lines.items():
                yield "accounting", {"source": source, "kind": "folded_lines", "events": lines}
        del events, whole
        for table in ("touchpoints", "sessions"):
            new = None if cut is None else getattr(cut, table)
            merged = merge_customers(kept.pop(table, None), new, self.file.touched.customers)
            if len(merged):
                path = f"tables/{table}/bucket={bucket:04d}/{self.name}.parquet"
                yield table, write_table(self.root, path, merged, bucket=bucket)

    def _unfolded(self, touchpoints: pa.Table) -> Iterator[tuple[str, Any]]:
        """What the accounting has of the folded lines of touchpoints that leave is taken back."""
        folded = touchpoints.filter(pc.greater(touchpoints["lines"], 1))
        for row in (
            folded.group_by("source").aggregate([("lines", "sum"), ([], "count_all")]).to_pylist()
        ):
            lines = row["lines_sum"] - row["count_all"]
            yield "accounting", {"source": row["source"], "kind": "folded_lines", "events": -lines}

    def _grown(self, touchpoints: pa.Table, customer: np.ndarray) -> pa.Table:
        """As events again the touchpoints of customers who are neither made from events nor called otherwise now."""
        touched = self.file.touched
        grown = ~contains(touched.again, customer) & ~contains(touched.old, customer)
        names = table_schema("events", attributes=self.config.attributes).names
        columns = [name for name in names if name in touchpoints.column_names]
        events = touchpoints.select([*columns, "touchpoint", "stage"])
        events = events.append_column("customer", pa.array(customer))
        return events.filter(pa.array(grown))


def merge_customers(old: pa.Table | None, new: pa.Table | None, gone: np.ndarray) -> pa.Table:
    """Rows of a table, but for those of some customers (ascending uint64), with new ones; in order of customers.

    Both are in that order, with the rows of each customer in an order of their own, which is kept. There is an old
    table, or a new one.
    """
    if old is None:
        return new
    stays = np.ones(len(old), bool)
    stays[rows_of(old, gone)[0]] = False
    kept = old.filter(pa.array(stays))
    if new is None:
        return kept
    both = together([kept.cast(new.schema), new])
    customer, _ = codes(both["customer_id"])
    return both.take(pa.array(np.argsort(customer, kind="stable")))


class SessionizeAnew(beam.PTransform):
    """(bucket, Part or OldBucket) to files of `touchpoints` and `sessions`, old ones where nobody is touched."""

    def __init__(
        self, root: str, config: Config, name: str, touched: TouchedFile, threads: int
    ) -> None:
        super().__init__()
        self._kernel = _SessionizeTouched(root, config, name, touched)
        self._threads = threads

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        return (
            parts
            | "GroupBuckets" >> beam.GroupByKey()
            | "SessionizeBuckets" >> Kernel(self._kernel, self._threads)
        )
