"""Events of resolved customers, ruled and spilled by customer bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.config import Config
from contracts.schemas import table_schema
from models.accounts import Accounts
from models.consent import Withdrawals
from models.event_keys import bucket_of
from models.touchpoint_rules import apply_rules
from transforms.kernel import Kernel
from transforms.parts import spill
from transforms.shared_devices import AnonymousLinks

__all__ = ["BucketEvents", "LinkedFile"]


@dataclass(frozen=True)
class LinkedFile:
    """A file of events, and where the customers of its links begin in the array of all."""

    path: str
    rows: int
    first_link: int


@dataclass(frozen=True)
class _BucketFiles:
    """The kernel: several files of events, as one unit of work."""

    root: str
    config: Config
    customers: str
    """File of uint64: customer of every link of every file."""
    shared: str | None
    """File of `AnonymousLinks`, where devices are shared."""
    accounts: str | None
    """File of `Accounts`, where accounts are the subject."""
    consents: str | None
    """File of statements about consent, where there are any."""
    folder: str
    buckets: int

    @cached_property
    def _anonymous(self) -> AnonymousLinks | None:
        return AnonymousLinks(Path(self.root, self.shared)) if self.shared else None

    @cached_property
    def _accounts(self) -> Accounts | None:
        return _read_accounts(Path(self.root, self.accounts)) if self.accounts else None

    @cached_property
    def _withdrawals(self) -> Withdrawals | None:
        if self.consents is None:
            return None
        with np.load(self.consents) as said:
            entirely = self.config.privacy.withdrawal == "entirely"
            return Withdrawals(said["customer"], said["stated_us"], said["granted"], entirely)

    def __call__(self, files: tuple[LinkedFile, ...]) -> Iterator[Any]:
        customers = np.load(Path(self.root, self.customers), mmap_mode="r")
        anonymous, accounts = self._anonymous, self._accounts
        taken = set(table_schema("touchpoints", attributes=self.config.attributes).names)
        columns = [
            name
            for name in table_schema("events", attributes=self.config.attributes).names
            if name in taken
        ]
        texts = [name for name in columns if name not in ("event_id", "transaction_id")]
        tables, of_rows, persons, withdrawn = [], [], [], []
        for file in files:
            # Files may be many and small, and `pq.read_table` takes three times as long for one.
            with pq.ParquetFile(Path(self.root, file.path), read_dictionary=texts) as parquet:
                table = parquet.read([*columns, "link"], use_threads=False)
            link = table["link"].to_numpy() + np.int64(file.first_link)
            customer = customers[link]
            if anonymous is not None:
                time_us = table["event_time"].cast(pa.int64()).to_numpy()
                customer = anonymous.fill(customer, link, time_us)
            if self._withdrawals is not None:
                time_us = table["event_time"].cast(pa.int64()).to_numpy()
                withdrawn.append(self._withdrawals.hold(customer, time_us))
            if accounts is not None:
                persons.append(customer)
                customer = accounts.subjects(customer, link)
            of_rows.append(customer)
            tables.append(table.drop_columns(["link"]))
        events = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        if persons:
            events = events.append_column("person", pa.array(np.concatenate(persons)))
        ended = np.concatenate(withdrawn) if withdrawn else np.zeros(len(events), bool)
        yield from self._ruled(events, np.concatenate(of_rows), ended, files[0])

    def _ruled(
        self, events: pa.Table, customer: np.ndarray, ended: np.ndarray, first: LinkedFile
    ) -> Iterator[Any]:
        ruled = apply_rules(events, self.config.touchpoints)
        identified = customer != 0
        withdrawn = identified & ended
        ignored = identified & ~withdrawn & ruled.ignored
        keep = identified & ~withdrawn & ~ignored
        for tag, rows in (
            ("events", np.ones(len(events), bool)),
            ("unidentified", ~identified),
            ("withdrawn", withdrawn),
            ("ignored", ignored),
        ):
            for entry in pc.value_counts(events["source"].filter(pa.array(rows))).to_pylist():
                value = {"source": entry["values"], "kind": tag, "events": entry["counts"]}
                yield beam.pvalue.TaggedOutput("results", ("accounting", value))
        unmatched = events.select(["source", "channel", "event_type"]).filter(
            pa.array(~ruled.matched)
        )
        counts = unmatched.group_by(unmatched.column_names).aggregate([([], "count_all")])
        for row in counts.to_pylist():
            yield beam.pvalue.TaggedOutput("results", ("unmatched", row))
        events = events.append_column("touchpoint", ruled.touchpoint).append_column(
            "stage", ruled.stage
        )
        events = events.append_column("customer", pa.array(customer))
        if not keep.all():
            events, customer = events.filter(pa.array(keep)), customer[keep]
        codes = bucket_of(customer, self.buckets)
        name = f"touchpoints-{Path(first.path).stem}"
        yield from spill(events, codes, self.folder, name)


def _read_accounts(path: Path) -> Accounts:
    with np.load(path) as stored:
        return Accounts(stored["of_link"], stored["person"], stored["account"])


class BucketEvents(beam.PTransform):
    """Tuples of LinkedFile to (bucket, Part of events with their customer); results for the accounting."""

    def __init__(
        self,
        root: str,
        config: Config,
        customers: str,
        shared: str | None,
        accounts: str | None,
        consents: str | None,
        folder: str,
        buckets: int,
        threads: int,
    ) -> None:
        super().__init__()
        self._kernel = _BucketFiles(
            root, config, customers, shared, accounts, consents, folder, buckets
        )
        self._threads = threads

    def expand(self, files: beam.PCollection) -> Any:
        return files | Kernel(self._kernel, self._threads, ("results",))
