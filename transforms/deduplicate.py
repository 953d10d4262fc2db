"""De-duplication by key: which rows of which spill are not the staying copy of their event.

Only keys are compared. The index of all copies ever accepted (`event_keys`) is part of the comparison, so
duplicates are found across files and runs, and an older event can lose to a copy that was received earlier
but delivered later.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import DataFile
from models.dictionaries import together
from models.event_keys import KEY_SCHEMA, losers
from transforms.kernel import Kernel
from transforms.map_slices import KeyPart
from transforms.parts import read_parts

__all__ = ["Deduplicate", "Removal", "winners", "write_index"]

_COPY = pa.field("copy", pa.dictionary(pa.int32(), pa.string()))
_INDEX_SCHEMA = (
    KEY_SCHEMA.remove(KEY_SCHEMA.get_field_index("place"))
    .append(_COPY)
    .append(pa.field("stays", pa.bool_()))
)


_NO_KEYS = (
    _INDEX_SCHEMA.remove(_INDEX_SCHEMA.get_field_index("stays"))
    .append(pa.field("place", pa.int64()))
    .empty_table()
)


_PUBLISHED, _LOST_BEFORE = -1, -2
"""Origin of a known copy: it is in `events`, or an earlier run found a better one."""


@dataclass(frozen=True)
class Removal:
    """Keys of published events that lost to a newly read copy."""

    keys: tuple[int, ...]


@dataclass(frozen=True)
class _DeduplicateBucket:
    root: str
    table: str
    """Folder of the index under the warehouse, new for every ingest that changes it."""
    base: dict[int, str]
    """The published index: file of each bucket."""
    sources: tuple[str, ...]
    """Sources whose published copies still count."""
    withdrawn: tuple[str, ...]
    """Copies (source/file_id) that do not, though their source is among them."""

    def __call__(self, element: tuple[int, Iterable[KeyPart | None]]) -> Iterator[Any]:
        bucket, key_parts = element
        spills: list[str] = []
        tables, origins = [_NO_KEYS], [np.empty(0, np.int64)]
        if bucket in self.base:
            known = pq.read_table(Path(self.root, self.base[bucket]), schema=_INDEX_SCHEMA)
            known = known.filter(pc.is_in(_sources(known), pa.array(self.sources, pa.string())))
            if self.withdrawn:
                gone = pc.is_in(known["copy"].cast(pa.string()), pa.array(self.withdrawn))
                known = known.filter(pc.invert(gone))
            origin = np.where(known["stays"].to_numpy(), _PUBLISHED, _LOST_BEFORE)
            # Of copies that are all alike the published one stays: its place comes first.
            place = np.where(origin == _PUBLISHED, -1, np.iinfo(np.int64).max)
            tables.append(known.append_column("place", pa.array(place)))
            origins.append(origin)
        by_keys = {part.keys: part for part in key_parts if part is not None}
        if by_keys:
            parts, read = zip(*read_parts(by_keys), strict=True)
            new = [by_keys[part] for part in parts]
            spills = [part.spill for part in new]
            sizes = [part.rows for part in parts]
            copies = pa.array([f"{part.source}/{part.file_id}" for part in new]).dictionary_encode()
            copy = copies.take(pa.array(np.repeat(np.arange(len(new)), sizes)))
            tables.append(pa.concat_tables(read).append_column(_COPY, copy))
            origins.append(np.repeat(np.arange(len(new)), sizes))
        everything = together(table.select(_NO_KEYS.column_names) for table in tables)
        origin = np.concatenate(origins)
        lost = losers(everything)
        yield from self._lost(everything, origin, lost, spills)
        yield from self._index(bucket, everything, lost)

    def _lost(
        self, everything: pa.Table, origin: np.ndarray, lost: np.ndarray, spills: list[str]
    ) -> Iterator[Any]:
        places = everything["place"].to_numpy()[lost]
        for number, path in enumerate(spills):
            rows = places[origin[lost] == number].astype(np.int32)
            if len(rows):
                yield path, rows.tobytes()
        published = lost[origin[lost] == _PUBLISHED]
        if len(published) == 0:
            return
        removed = everything.take(published)
        sources = _sources(removed)
        for source in sorted(set(sources.to_pylist())):
            of_source = removed.filter(pc.equal(sources, source))
            for day in sorted(set(of_source["day"].to_pylist())):
                keys = of_source.filter(pc.equal(of_source["day"], day))["key"].to_pylist()
                yield beam.pvalue.TaggedOutput("removals", ((source, day), Removal(tuple(keys))))

    def _index(self, bucket: int, everything: pa.Table, lost: np.ndarray) -> Iterator[Any]:
        stays = np.ones(len(everything), bool)
        stays[lost] = False
        index = everything.append_column("stays", pa.array(stays)).select(_INDEX_SCHEMA.names)
        file = write_index(self.root, self.table, bucket, index)
        yield beam.pvalue.TaggedOutput("results", ("event_keys", file))
        for value in winners(index):
            yield beam.pvalue.TaggedOutput("results", ("winners", value))


def write_index(root: str, table: str, bucket: int, index: pa.Table) -> DataFile:
    """Write a bucket of the index of copies; `table` is the index's folder under the warehouse."""
    path = Path(table, f"bucket={bucket:04d}.parquet")
    target = Path(root, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{uuid.uuid4().hex}.tmp")
    pq.write_table(
        index, temporary, compression="lz4", use_dictionary=["copy"], write_statistics=False
    )
    temporary.replace(target)
    return DataFile(str(path), len(index), {"bucket": bucket})


def winners(index: pa.Table) -> list[dict[str, Any]]:
    """How many events each file holds, of those in a part of the index."""
    counts = pc.value_counts(index["copy"].filter(index["stays"]))
    found = []
    for entry in counts.to_pylist():
        source, file_id = entry["values"].split("/")
        found.append({"source": source, "file_id": file_id, "events": entry["counts"]})
    return found


def _sources(keys: pa.Table) -> pa.ChunkedArray:
    return pc.list_element(pc.split_pattern(pc.cast(keys["copy"], pa.string()), "/"), 0)


class Deduplicate(beam.PTransform):
    """(bucket, KeyPart) to the rows that lost.

    Outputs: ``main`` (spill path, int32 bytes of row numbers), ``removals`` ((source, day), Removal), ``results``
    (event_keys files, and winners a file).
    """

    def __init__(
        self,
        root: str,
        table: str,
        base: dict[int, str],
        sources: tuple[str, ...],
        withdrawn: tuple[str, ...],
        threads: int,
    ) -> None:
        super().__init__()
        self._kernel = _DeduplicateBucket(root, table, base, sources, withdrawn)
        self._threads = threads

    def expand(self, keys: beam.PCollection) -> Any:
        return (
            keys
            | "GroupKeys" >> beam.GroupByKey()
            | "FindLosers" >> Kernel(self._kernel, self._threads, ("removals", "results"))
        )
