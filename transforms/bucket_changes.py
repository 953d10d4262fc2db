"""Events of touched customers by bucket: of new files, read again, and, where they have a new name, of touchpoints.

Which customers are touched, and what of them has to be read, `models.touched_customers` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import DataFile
from models.dictionaries import in_one_chunk
from models.event_keys import bucket_of
from models.touched_customers import Touched, contains
from models.touchpoint_rules import apply_rules
from transforms.bucket_events import PLAIN, CustomerFiles, Ruling
from transforms.kernel import Kernel
from transforms.parts import spill
from transforms.read_buckets import read_bucket, rows_of

__all__ = ["BucketChanges", "ChangedFile", "OldBucket", "TouchedFile"]


@dataclass(frozen=True)
class ChangedFile:
    """A file of events by where its links begin before and after; None where it was not, or is no more."""

    path: str
    before: int | None
    after: int | None
    links: int


@dataclass(frozen=True)
class OldBucket:
    """A bucket of customers as it was."""

    number: int
    touchpoints: DataFile
    sessions: DataFile


@dataclass(frozen=True)
class TouchedFile:
    """`Touched`, written for workers to read."""

    path: str

    @staticmethod
    def write(path: Path, touched: Touched) -> TouchedFile:
        """Write it; the file is whole when this returns."""
        np.savez(path, **vars(touched))
        return TouchedFile(str(path))

    @cached_property
    def touched(self) -> Touched:
        """What is in the file."""
        with np.load(self.path) as stored:
            return Touched(**stored)


@dataclass(frozen=True)
class _ReadFiles:
    """The kernel: some files of events that came, or went, or stayed with links of customers who are made again."""

    ruling: Ruling
    before: CustomerFiles
    after: CustomerFiles
    file: TouchedFile

    def __call__(self, files: tuple[ChangedFile, ...]) -> Iterator[Any]:
        rules, ruling = self.ruling.config.touchpoints, self.ruling
        for file in files:
            events = self._events(file)
            if not len(events):
                continue
            ruled = apply_rules(events, rules)
            if file.before is not None:
                was = self.before.of(events, file.before)
                yield from ruling.account(was, ruled.ignored, -1)
            if file.after is None:
                yield from ruling.unmatched(events, ruled.matched, -1)
                continue
            now = self.after.of(events, file.after)
            yield from ruling.account(now, ruled.ignored)
            customer = now["customer"].to_numpy()
            if file.before is None:
                yield from ruling.unmatched(events, ruled.matched)
                self._refuse_unknown(customer, file)
                yield from ruling.spill(now, ruled, file.path)
            else:
                again = contains(self.file.touched.again, customer)
                yield from ruling.spill(now, ruled, file.path, again)

    def _events(self, file: ChangedFile) -> pa.Table:
        """Its events; of a file that stayed those of the links that are to be read again."""
        if file.before is None or file.after is None:
            return in_one_chunk(self.ruling.read(file.path))
        links = self.file.touched.links
        begin, end = np.searchsorted(links, [file.after, file.after + file.links])
        wanted = np.zeros(file.links, bool)
        wanted[links[begin:end] - file.after] = True
        with pq.ParquetFile(Path(self.ruling.root, file.path)) as parquet:
            link = parquet.read(["link"], use_threads=False)["link"].to_numpy()
        rows = np.flatnonzero(wanted[link])
        return in_one_chunk(self.ruling.read(file.path, rows))

    def _refuse_unknown(self, customer: np.ndarray, file: ChangedFile) -> None:
        """A customer of a new event who is not touched would be in two places."""
        known = contains(self.file.touched.customers, customer) | (customer == 0)
        if not known.all():
            raise AssertionError(f"{(~known).sum()} events of untouched customers in {file.path}")


@dataclass(frozen=True)
class _RenameRows:
    """The kernel: of an old bucket the touchpoints of customers who have another name now, as events again."""

    ruling: Ruling
    file: TouchedFile

    def __call__(self, bucket: OldBucket) -> Iterator[Any]:
        touched = self.file.touched
        columns = ["customer_id", *self.ruling.columns, "touchpoint", "stage"]
        table = read_bucket(self.ruling.root, bucket.touchpoints.path, columns, plain=PLAIN)
        rows, customer = rows_of(table, touched.old)
        events = table.take(pa.array(rows)).drop_columns(["customer_id"])
        customer = touched.new[np.searchsorted(touched.old, customer)]
        events = events.append_column("customer", pa.array(customer))
        codes = bucket_of(customer, self.ruling.buckets)
        yield from spill(events, codes, self.ruling.folder, f"renamed-{bucket.number:04d}")


class BucketChanges(beam.PTransform):
    """Tuples of `ChangedFile`, and each `OldBucket` of which a customer is called otherwise now (`renamed`), to
    (bucket, Part of events with their customer), and to results for the accounting.
    """

    def __init__(
        self,
        ruling: Ruling,
        before: CustomerFiles,
        after: CustomerFiles,
        touched: TouchedFile,
        renamed: beam.PCollection,
        threads: int,
    ) -> None:
        super().__init__()
        self._read = _ReadFiles(ruling, before, after, touched)
        self._rename = _RenameRows(ruling, touched)
        self._renamed = renamed
        self._threads = threads

    def expand(self, files: beam.PCollection) -> Any:
        read = files | "ReadFiles" >> Kernel(self._read, self._threads, ("results",))
        renamed = self._renamed | "RenameRows" >> Kernel(self._rename, self._threads)
        return (read.main, renamed) | "Events" >> beam.Flatten(), read.results
