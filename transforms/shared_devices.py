"""Events on shared devices read with their times, and assigned to customers (models.shared_devices)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import DataFile
from contracts.schemas import table_schema
from models.hexadecimal import hex_text
from models.shared_devices import RULES, CustomersByTime, Intervals, assign, named
from models.touched_customers import LinkState
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts, spill
from transforms.write_table import write_table

__all__ = [
    "AnonymousLinks",
    "AssignSharedDevices",
    "EventFile",
    "SharedDevices",
    "read_link_state",
    "units_of_work",
    "write_intervals",
]

_UNIT_ROWS = 1 << 18


@dataclass(frozen=True)
class EventFile:
    """A file of events, and which of all links are its own."""

    path: str
    rows: int
    first_link: int
    links: int


@dataclass(frozen=True)
class SharedDevices:
    """Two Parquet files that tell of links with shared devices.

    `links`: link, device, customer (0 where anonymous), ascending by link. `devices`: device, hash, namespace,
    value, ascending by device.
    """

    links: str
    devices: str


def units_of_work(files: Iterable[EventFile], shared: SharedDevices) -> list[tuple[EventFile, ...]]:
    """Files that have links with shared devices; small ones together."""
    links = pq.read_table(shared.links, columns=["link"])["link"].to_numpy()
    units: list[tuple[EventFile, ...]] = []
    unit: tuple[EventFile, ...] = ()
    for file in files:
        begin, end = np.searchsorted(links, [file.first_link, file.first_link + file.links])
        if begin < end:
            unit = (*unit, file)
        if sum(one.rows for one in unit) >= _UNIT_ROWS:
            units.append(unit)
            unit = ()
    return [*units, unit] if unit else units


@dataclass(frozen=True)
class _ReadTimes:
    """The kernel: of some files the events on shared devices."""

    root: str
    shared: SharedDevices
    folder: str

    @cached_property
    def _links(self) -> pa.Table:
        return pq.read_table(self.shared.links)

    def __call__(self, files: tuple[EventFile, ...]) -> Iterator[tuple[int, Part]]:
        found = pa.concat_tables([self._events(file) for file in files])
        name = f"shared-{Path(files[0].path).stem}"
        yield from spill(found, np.zeros(len(found), np.int64), self.folder, name)

    def _events(self, file: EventFile) -> pa.Table:
        links = self._links
        ends = [file.first_link, file.first_link + file.links]
        start, stop = np.searchsorted(links["link"].to_numpy(), ends)
        links = links.slice(start, stop - start)
        # Files may be many and small, and `pq.read_table` takes three times as long for one.
        with pq.ParquetFile(Path(self.root, file.path)) as parquet:
            events = parquet.read(["link", "event_time"], use_threads=False)
        known, link = links["link"].to_numpy() - file.first_link, events["link"].to_numpy()
        begin, end = np.searchsorted(known, link, "left"), np.searchsorted(known, link, "right")
        row = np.repeat(np.arange(len(link)), end - begin)  # an event may bear two shared devices
        first_of = np.repeat(np.cumsum(end - begin) - (end - begin), end - begin)
        found = links.take(pa.array(begin[row] + np.arange(len(row)) - first_of))
        return found.append_column("event_time", events["event_time"].take(pa.array(row)))


@dataclass(frozen=True)
class _Assign:
    """The kernel: all events on shared devices at once; their number bounds the memory."""

    root: str
    shared: SharedDevices
    name: str
    within_us: int

    def __call__(self, element: tuple[int, Iterable[Part]]) -> Iterator[tuple[str, DataFile]]:
        events = pa.concat_tables([table for _, table in read_parts(element[1])])
        intervals = assign(
            events["device"].to_numpy(),
            events["event_time"].cast(pa.int64()).to_numpy(),
            events["customer"].to_numpy(),
            self.within_us,
        )
        devices = pq.read_table(self.shared.devices)
        intervals = named(intervals, devices["hash"].to_numpy())
        yield from write_intervals(self.root, self.name, intervals, self.shared)


def write_intervals(
    root: str, name: str, intervals: Intervals, shared: SharedDevices
) -> Iterator[tuple[str, DataFile]]:
    """Write `identity_intervals`, and the file that `AnonymousLinks` reads."""
    devices = pq.read_table(shared.devices)
    of_device = devices.take(pa.array(intervals.device))
    time = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "namespace": of_device["namespace"],
            "value": of_device["value"],
            "started_at": pa.array(intervals.start_us, time),
            "ended_at": pa.array(intervals.end_us, time),
            "customer_id": hex_text(intervals.customer),
            "events": intervals.events,
            "rule": pa.array([RULES[number] for number in intervals.rule.tolist()], pa.string()),
        },
        schema=table_schema("identity_intervals"),
    )
    path = f"tables/identity_intervals/{name}.parquet"
    yield "identity_intervals", write_table(root, path, table)
    links = pq.read_table(shared.links)
    anonymous = links["customer"].to_numpy() == 0
    path = f"tables/shared_links/{name}.npz"
    Path(root, path).parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        Path(root, path),
        link=links["link"].to_numpy()[anonymous],
        device=links["device"].to_numpy()[anonymous],
        device_hash=devices["hash"].to_numpy(),
        interval_device=intervals.device,
        interval_start_us=intervals.start_us,
        interval_end_us=intervals.end_us,
        interval_customer=intervals.customer,
    )
    yield "shared_links", DataFile(path, int(anonymous.sum()))


class AnonymousLinks:
    """Links whose customer depends on the time, as `write_intervals` left them."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self._link, self._device = stored["link"], stored["device"]
            self._customers = CustomersByTime(
                stored["interval_device"], stored["interval_start_us"], stored["interval_customer"]
            )

    def fill(self, customer: np.ndarray, link: np.ndarray, time_us: np.ndarray) -> np.ndarray:
        """The customers of events, those of anonymous events on shared devices looked up by time.

        Parameters
        ----------
        customer : ndarray of uint64
            Of each event, by its link alone; 0 where that does not tell.
        link : ndarray of int64
            Place of its link among all.
        time_us : ndarray of int64
            When it happened.
        """
        rows = np.flatnonzero(customer == 0)
        place = np.searchsorted(self._link, link[rows])
        known = np.append(self._link, -1)[place] == link[rows]
        rows, device = rows[known], self._device[place[known]]
        filled = customer.copy()
        filled[rows] = self._customers.at(device, time_us[rows])
        return filled


def read_link_state(customers: Path, shared: Path | None) -> LinkState:
    """What the files of customers and of `AnonymousLinks` say, for `models.touched_customers`."""
    customer = np.load(customers)
    device = np.zeros(len(customer), np.uint64)
    if shared is None:
        none = np.zeros(0, np.int64)
        return LinkState(customer, device, none.view(np.uint64), none, none, none.view(np.uint64))
    with np.load(shared) as stored:
        link, first = np.unique(stored["link"], return_index=True)  # the device that `fill` goes by
        hashes = stored["device_hash"]
        device[link] = hashes[stored["device"][first]]
        return LinkState(
            customer,
            device,
            hashes[stored["interval_device"]],
            stored["interval_start_us"],
            stored["interval_end_us"],
            stored["interval_customer"],
        )


class AssignSharedDevices(beam.PTransform):
    """`units_of_work` to results: files of `identity_intervals` and `shared_links`."""

    def __init__(
        self, root: str, shared: SharedDevices, folder: str, name: str, within_us: int, threads: int
    ) -> None:
        super().__init__()
        self._read = _ReadTimes(root, shared, folder)
        self._assign = _Assign(root, shared, name, within_us)
        self._threads = threads

    def expand(self, units: beam.PCollection) -> beam.PCollection:
        return (
            units
            | "ReadTimes" >> Kernel(self._read, self._threads)
            | "GatherEvents" >> beam.GroupByKey()
            | "AssignEvents" >> Kernel(self._assign)
        )
