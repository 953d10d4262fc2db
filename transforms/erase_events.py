"""Files of events written again without the events of persons who were erased."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import DataFile
from models.dictionaries import encode
from models.event_keys import key_events
from models.tombstones import Tombstones
from transforms.kernel import Kernel
from transforms.link_files import LinkFiles
from transforms.write_events import rest_of_file, write_events

__all__ = ["EraseEvents", "erased_events"]


@dataclass(frozen=True)
class _EraseFile:
    """The kernel: one file of events, left alone if it holds nothing of an erased person."""

    root: str
    namespaces: tuple[str, ...]
    attributes: tuple[str, ...]
    tombstones: Tombstones
    suspects: dict[str, tuple[str, ...]]
    """By namespace the identifiers whose events may be erased: all others need no hashing."""

    def __call__(self, file: DataFile) -> Iterator[tuple[str, Any]]:
        links = LinkFiles((Path(self.root, file.meta["links"]),))
        if not any(
            pc.any(pc.is_in(column.cast(pa.string()), pa.array(values, pa.string()))).as_py()
            for name, values in self.suspects.items()
            for column in links(f"id_{name}")
        ):
            return
        source, date = str(file.partition["source"]), str(file.partition["event_date"])
        events = pq.read_table(Path(self.root, file.path), partitioning=None)
        gone = erased_events(events, source, tuple(self.suspects), self.tombstones)
        if not gone.any():
            return
        yield "replaced", file.path
        hashes = pa.nulls(int(gone.sum()), pa.uint64())
        erased = events.filter(pa.array(gone)).append_column("record_hash", hashes)
        keys = key_events(erased, source).select(["key", "key_rest"])
        ids = erased["event_id"].to_pylist()
        yield "keys", {"source": source, "event_id": ids, **keys.to_pydict()}
        rest = rest_of_file(self.root, file, events, ~gone)
        for written in write_events(
            self.root, source, date, self.namespaces, self.attributes, iter([rest])
        ):
            yield "events", written


def erased_events(
    events: pa.Table, source: str, namespaces: tuple[str, ...], tombstones: Tombstones
) -> np.ndarray:
    """Which events of a source are those of erased persons: ndarray of bool."""
    known = {name: encode(events[f"id_{name}"].cast(pa.string())) for name in namespaces}
    return tombstones.of_known(known, source, events["event_id"])


class EraseEvents(beam.PTransform):
    """DataFile of `events` to results: ``replaced`` (path), ``events`` (DataFile), ``keys`` (of erased events)."""

    def __init__(
        self,
        root: str,
        namespaces: tuple[str, ...],
        attributes: tuple[str, ...],
        tombstones: Tombstones,
        suspects: dict[str, tuple[str, ...]],
        threads: int,
    ) -> None:
        super().__init__()
        self._kernel = _EraseFile(root, namespaces, attributes, tombstones, suspects)
        self._threads = threads

    def expand(self, files: beam.PCollection) -> beam.PCollection:
        return files | "EraseFile" >> Kernel(self._kernel, self._threads)
