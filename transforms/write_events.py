"""Events written as Parquet by source and event date, each file with the links of its rows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import DataFile
from contracts.schemas import table_schema
from models.dictionaries import DICTIONARY, encode
from models.event_keys import key_events
from models.links import link_events
from models.refused_values import REFUSED
from transforms.deduplicate import Removal
from transforms.kernel import Kernel
from transforms.link_files import LinkFiles, write_links
from transforms.parts import Part, in_batches, read_parts

__all__ = ["WriteEvents", "rest_of_file", "write_events"]

_BATCH_ROWS = 1 << 17
_FILE_ROWS = 1 << 20


@dataclass(frozen=True)
class _WriteDay:
    """The kernel: the events of one source and day, without the rows that lost."""

    root: str
    namespaces: tuple[str, ...]
    attributes: tuple[str, ...]
    published: Mapping[tuple[str, int], tuple[DataFile, ...]]
    withdrawn: Mapping[str, tuple[str, ...]]
    """By source, files of it whose published events go."""

    def __call__(
        self,
        element: tuple[tuple[str, int], Iterable[Part | Removal]],
        lost: Mapping[str, Iterable[bytes]],
    ) -> Iterator[tuple[str, Any]]:
        (source, day), values = element
        given = list(values)
        date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
        removals = [value for value in given if isinstance(value, Removal)]
        if removals:
            removed = {key for removal in removals for key in removal.keys}
            yield from self._rewrite(source, day, date, removed)
        parts = [value for value in given if isinstance(value, Part)]
        yield from self._write(source, date, _staying(parts, lost))

    def _rewrite(
        self, source: str, day: int, date: str, removed: set[int]
    ) -> Iterator[tuple[str, Any]]:
        """Published files that hold a removed or withdrawn event are written again without it."""
        gone = np.array(sorted(removed), np.uint64)
        withdrawn = pa.array(self.withdrawn.get(source, ()), pa.string())
        for file in self.published.get((source, day), ()):
            events = pq.read_table(Path(self.root, file.path), partitioning=None)
            hashes = pa.nulls(len(events), pa.uint64())
            keys = key_events(events.append_column("record_hash", hashes), source)["key"].to_numpy()
            stays = ~np.isin(keys, gone)
            if len(withdrawn):
                files = events["file_id"].cast(pa.string())
                stays &= ~pc.is_in(files, withdrawn).to_numpy()
            if not stays.all():
                yield "replaced", file.path
            if stays.any() and not stays.all():
                rest = rest_of_file(self.root, file, events, stays)
                yield from self._write(source, date, iter([rest]))

    def _write(
        self, source: str, date: str, tables: Iterator[pa.Table]
    ) -> Iterator[tuple[str, Any]]:
        for file in write_events(self.root, source, date, self.namespaces, self.attributes, tables):
            yield "events", file


def write_events(
    root: str,
    source: str,
    date: str,
    namespaces: tuple[str, ...],
    attributes: tuple[str, ...],
    tables: Iterator[pa.Table],
) -> Iterator[DataFile]:
    """Write the events of a source and day as new files, each with the file of its links."""
    writer = _FileWriter(root, source, date, namespaces, attributes)
    for batch in in_batches(tables, _BATCH_ROWS):
        writer.write(batch)
        if writer.rows >= _FILE_ROWS:
            yield writer.finish()
            writer = _FileWriter(root, source, date, namespaces, attributes)
    if writer.rows:
        yield writer.finish()


def rest_of_file(root: str, file: DataFile, events: pa.Table, stays: np.ndarray) -> pa.Table:
    """Events of a file of the lake, to be written anew: some of them, with the values refused on them."""
    (refused,) = LinkFiles((Path(root, file.meta["links"]),))(REFUSED)
    events = events.append_column(REFUSED, refused.take(events["link"]))
    return events.filter(pa.array(stays)).drop_columns(["link"])


def _staying(parts: list[Part], lost: Mapping[str, Iterable[bytes]]) -> Iterator[pa.Table]:
    rows_lost = {
        path: np.concatenate([np.frombuffer(rows, np.int32) for rows in lost[path]])
        for path in {part.path for part in parts}
        if path in lost
    }
    for part, table in read_parts(parts):
        if part.path in rows_lost:
            rows = rows_lost[part.path] - part.first_row
            rows = rows[(rows >= 0) & (rows < part.rows)]
            if len(rows):
                stays = np.ones(part.rows, bool)
                stays[rows] = False
                table = table.filter(pa.array(stays))
        yield table


class _FileWriter:
    """One file of events and the file of its links; both get their names when they are whole."""

    def __init__(
        self,
        root: str,
        source: str,
        date: str,
        namespaces: tuple[str, ...],
        attributes: tuple[str, ...],
    ) -> None:
        self._root = Path(root)
        self._partition: dict[str, str | int] = {"source": source, "event_date": date}
        self._schema = _encoded_schema(table_schema("events", namespaces, attributes))
        self._namespaces = namespaces
        self._folder = Path("tables", "events", f"source={source}", f"event_date={date}")
        (self._root / self._folder).mkdir(parents=True, exist_ok=True)
        self._temporary = self._root / self._folder / f".{uuid.uuid4().hex}.tmp"
        self._writer = pq.ParquetWriter(
            self._temporary,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[f.name for f in self._schema if pa.types.is_dictionary(f.type)],
            write_statistics=["event_time"],
            store_schema=False,
        )
        self._links: list[pa.Table] = []
        self._link_count = 0
        self._times: list[int] = []
        self.rows = 0

    def write(self, events: pa.Table) -> None:
        """Append a batch as a row group."""
        events = _encoded(events.combine_chunks(), self._schema)
        codes, links = link_events(events, self._namespaces)
        events = events.append_column("link", pa.array(codes + self._link_count))
        self._writer.write_table(events.select(self._schema.names).cast(self._schema))
        self._links.append(links)
        self._link_count += len(links)
        self._times += [
            pc.min(events["event_time"]).cast(pa.int64()).as_py(),
            pc.max(events["event_time"]).cast(pa.int64()).as_py(),
        ]
        self.rows += len(events)

    def finish(self) -> DataFile:
        """Close, name and describe the file."""
        self._writer.close()
        name = uuid.uuid4().hex[:16]  # never one that a published version knows
        path = self._folder / f"{name}.parquet"
        links_path = Path("tables", "links") / f"{name}.arrow"
        write_links(self._root / links_path, pa.concat_tables(self._links))
        self._temporary.replace(self._root / path)
        meta = {
            "links": str(links_path),
            "link_rows": self._link_count,
            "min_event_us": min(self._times),
            "max_event_us": max(self._times),
        }
        return DataFile(str(path), self.rows, self._partition, meta)


def _encoded_schema(schema: pa.Schema) -> pa.Schema:
    """Text columns but for ids as dictionaries, and the link."""
    plain = ("event_id", "transaction_id")
    fields = [
        field.with_type(DICTIONARY)
        if field.type == pa.string() and field.name not in plain
        else field
        for field in schema
    ]
    return pa.schema([*fields, pa.field("link", pa.int32())])


def _encoded(events: pa.Table, schema: pa.Schema) -> pa.Table:
    texts = {field.name for field in schema if pa.types.is_dictionary(field.type)} | {REFUSED}
    for place, field in enumerate(events.schema):
        wanted = field.name in texts
        if wanted and not pa.types.is_dictionary(field.type):
            events = events.set_column(place, field.name, encode(events[field.name]))
    return events


class WriteEvents(beam.PTransform):
    """((source, day), Part | Removal) and the lost rows of every spill to files of `events`.

    Output: results ``("events", DataFile)`` and ``("replaced", path of a published file)``.
    """

    def __init__(
        self,
        root: str,
        namespaces: tuple[str, ...],
        attributes: tuple[str, ...],
        published: Mapping[tuple[str, int], tuple[DataFile, ...]],
        withdrawn: Mapping[str, tuple[str, ...]],
        lost: beam.PCollection,
        threads: int,
    ) -> None:
        super().__init__()
        self._kernel = _WriteDay(root, namespaces, attributes, published, withdrawn)
        self._lost = lost
        self._threads = threads

    def expand(self, days: beam.PCollection) -> beam.PCollection:
        lost = beam.pvalue.AsDict(self._lost | "GroupLost" >> beam.GroupByKey())
        return (
            days
            | "GroupDays" >> beam.GroupByKey()
            | "WriteDays" >> Kernel(self._kernel, self._threads, side_inputs=(lost,))
        )
