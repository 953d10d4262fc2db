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
from models.dictionaries import together
from models.event_keys import bucket_of
from models.touchpoint_rules import RuledEvents, apply_rules
from transforms.kernel import Kernel
from transforms.parts import spill
from transforms.shared_devices import AnonymousLinks

__all__ = ["PLAIN", "BucketEvents", "CustomerFiles", "LinkedFile", "Ruling"]

PLAIN = ("event_id", "transaction_id")
"""Text that is not dictionary-encoded, for it hardly repeats."""


@dataclass(frozen=True)
class LinkedFile:
    """A file of events, and where the customers of its links begin in the array of all."""

    path: str
    rows: int
    first_link: int


@dataclass(frozen=True)
class CustomerFiles:
    """Where it is written whose events are, in a state of the lake."""

    root: str
    customers: str
    """File of uint64: customer of every link of every file."""
    shared: str | None
    """File of `AnonymousLinks`, where devices are shared."""
    accounts: str | None
    """File of `Accounts`, where accounts are the subject."""
    consents: str | None
    """File of statements about consent, where there are any."""
    withdrawn_entirely: bool

    @cached_property
    def _customers(self) -> np.ndarray:
        customers: np.ndarray = np.load(Path(self.root, self.customers))
        return customers

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
            return Withdrawals(
                said["customer"], said["stated_us"], said["granted"], self.withdrawn_entirely
            )

    def of(self, events: pa.Table, first_link: int) -> pa.Table:
        """Events with their `customer`, whether consent had `ended`, and `person` where accounts are customers."""
        link = events["link"].to_numpy() + np.int64(first_link)
        time_us = events["event_time"].cast(pa.int64()).to_numpy()
        customer = self._customers[link]
        if self._anonymous is not None:
            customer = self._anonymous.fill(customer, link, time_us)
        ended = np.zeros(len(events), bool)
        if self._withdrawals is not None:
            ended = self._withdrawals.hold(customer, time_us)
        if self._accounts is not None:
            events = events.append_column("person", pa.array(customer))
            customer = self._accounts.subjects(customer, link)
        return events.append_column("customer", pa.array(customer)).append_column(
            "ended", pa.array(ended)
        )


@dataclass(frozen=True)
class Ruling:
    """What is done with events whose customers are known."""

    root: str
    config: Config
    folder: str
    buckets: int

    @property
    def columns(self) -> list[str]:
        """The columns of events that touchpoints have."""
        attributes = self.config.attributes
        taken = set(table_schema("touchpoints", attributes=attributes).names)
        return [
            name for name in table_schema("events", attributes=attributes).names if name in taken
        ]

    def read(self, path: str, rows: np.ndarray | None = None) -> pa.Table:
        """Those columns of a file of events, and the link; of some rows, if not of all."""
        texts = [name for name in self.columns if name not in PLAIN]
        # Files may be many and small, and `pq.read_table` takes three times as long for one.
        with pq.ParquetFile(Path(self.root, path), read_dictionary=texts) as parquet:
            events = parquet.read([*self.columns, "link"], use_threads=False)
        return events if rows is None else events.take(pa.array(rows))

    def account(self, events: pa.Table, ignored: np.ndarray, sign: int = 1) -> Iterator[Any]:
        """Results: how many events of each source are kept, and why not; negative where they are no more."""
        customer, ended = (events[name].to_numpy() for name in ("customer", "ended"))
        identified = customer != 0
        for tag, rows in (
            ("events", np.ones(len(events), bool)),
            ("unidentified", ~identified),
            ("withdrawn", identified & ended),
            ("ignored", identified & ~ended & ignored),
        ):
            for entry in pc.value_counts(events["source"].filter(pa.array(rows))).to_pylist():
                value = {"source": entry["values"], "kind": tag, "events": sign * entry["counts"]}
                yield beam.pvalue.TaggedOutput("results", ("accounting", value))

    def unmatched(self, events: pa.Table, matched: np.ndarray, sign: int = 1) -> Iterator[Any]:
        """Results: events that no rule matches."""
        rows = events.select(["source", "channel", "event_type"]).filter(pa.array(~matched))
        counts = rows.group_by(rows.column_names).aggregate([([], "count_all")])
        for row in counts.to_pylist():
            row["count_all"] *= sign
            yield beam.pvalue.TaggedOutput("results", ("unmatched", row))

    def spill(
        self, events: pa.Table, ruled: RuledEvents, path: str, wanted: np.ndarray | None = None
    ) -> Iterator[Any]:
        """(bucket, Part) of the events that become touchpoints, but for those that are not wanted."""
        customer, ended = (events[name].to_numpy() for name in ("customer", "ended"))
        keep = (customer != 0) & ~ended & ~ruled.ignored
        if wanted is not None:
            keep &= wanted
        events = events.append_column("touchpoint", ruled.touchpoint).append_column(
            "stage", ruled.stage
        )
        others = ["person"] if "person" in events.column_names else []
        events = events.select([*self.columns, "touchpoint", "stage", "customer", *others])
        if not keep.all():
            events, customer = events.filter(pa.array(keep)), customer[keep]
        codes = bucket_of(customer, self.buckets)
        yield from spill(events, codes, self.folder, f"touchpoints-{Path(path).stem}")


@dataclass(frozen=True)
class _BucketFiles:
    """The kernel: several files of events, as one unit of work."""

    ruling: Ruling
    customers: CustomerFiles

    def __call__(self, files: tuple[LinkedFile, ...]) -> Iterator[Any]:
        events = together(
            self.customers.of(self.ruling.read(file.path), file.first_link) for file in files
        )
        ruled = apply_rules(events, self.ruling.config.touchpoints)
        yield from self.ruling.account(events, ruled.ignored)
        yield from self.ruling.unmatched(events, ruled.matched)
        yield from self.ruling.spill(events, ruled, files[0].path)


def _read_accounts(path: Path) -> Accounts:
    with np.load(path) as stored:
        return Accounts(stored["of_link"], stored["person"], stored["account"])


class BucketEvents(beam.PTransform):
    """Tuples of LinkedFile to (bucket, Part of events with their customer); results for the accounting."""

    def __init__(self, ruling: Ruling, customers: CustomerFiles, threads: int) -> None:
        super().__init__()
        self._kernel = _BucketFiles(ruling, customers)
        self._threads = threads

    def expand(self, files: beam.PCollection) -> Any:
        return files | Kernel(self._kernel, self._threads, ("results",))
