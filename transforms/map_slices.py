"""Slices of files mapped to events, spilled by event date, their keys spilled by key bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from contracts.config import Config
from models.dictionaries import constant
from models.event_keys import bucket_of, key_events
from models.identifiers import Pseudonymiser
from models.mapping import map_records
from models.raw_fields import raw_fields
from models.source_sql import Mapping
from models.tombstones import Tombstones
from transforms.kernel import Kernel
from transforms.limits import Limits
from transforms.parts import Part, spill
from transforms.plan_files import Slice
from transforms.read_records import RawBatch, read_slice

__all__ = ["EVENT_DICTIONARIES", "KeyPart", "MapSlice", "MapSlices", "spill_events"]

_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class KeyPart:
    """Keys of one bucket from one spill of events; `place` in them is a row of that spill."""

    keys: Part
    spill: str
    source: str
    file_id: str


@dataclass(frozen=True)
class MapSlice:
    """The kernel: reads a slice, maps it, spills what comes of it."""

    config: Config
    mappings: dict[str, Mapping]
    pseudonymiser: Pseudonymiser | None
    tombstones: Tombstones | None
    now: datetime
    folder: str
    key_buckets: int
    released: dict[str, frozenset[str]]

    def __call__(self, piece: Slice) -> Iterator[Any]:
        batches = read_slice(piece, self.config.sources[piece.source], Limits.of(self.config.lake))
        for number, batch in enumerate(batches):
            yield from self.spilled(
                piece, f"{piece.file_id}-{piece.start:014d}-{number:06d}", batch
            )

    def spilled(self, piece: Slice, name: str, batch: RawBatch) -> Iterator[Any]:
        """What comes of a batch of raw records: the outputs of `MapSlices`; `name` names the spills."""
        mapped = map_records(
            batch.table,
            self.mappings[piece.source],
            now=self.now,
            pseudonymiser=self.pseudonymiser,
            tombstones=self.tombstones,
            released=self.released.get(piece.source, frozenset()),
        )
        dead = self._dead_letters(piece, batch, mapped.dead_letters)
        looked, raw = raw_fields(batch.table)
        counts = {
            "source": piece.source,
            "file_id": piece.file_id,
            "records_read": batch.records,
            "accepted": len(mapped.events),
            "dead_letters": len(dead),
            "quarantined": len(mapped.quarantine),
            "withheld": mapped.withheld,
            "erased": mapped.erased,
            "given": mapped.given,
            "looked": looked,
            "raw": raw,
            "unmapped": int(np.isin(_reasons(mapped.dead_letters), _NO_TIME_OR_TYPE).sum()),
        }
        yield beam.pvalue.TaggedOutput("counts", counts)
        held = self._located(mapped.quarantine, piece)
        for tag, rows in (("dead", dead), ("held", held), ("consents", mapped.consents)):
            for _, part in spill(rows, np.zeros(len(rows), np.int64), self.folder, f"{tag}-{name}"):
                yield beam.pvalue.TaggedOutput(tag, part)
        if len(mapped.events):
            events = self._located(mapped.events, piece)
            yield from spill_events(
                events, piece.source, piece.file_id, name, self.folder, self.key_buckets
            )

    @staticmethod
    def _located(events: pa.Table, piece: Slice) -> pa.Table:
        return events.append_column("file_id", constant(piece.file_id, len(events)))

    @staticmethod
    def _dead_letters(piece: Slice, batch: RawBatch, unmapped: pa.Table) -> pa.Table:
        unreadable = pa.table(
            {
                "position": pa.array([u.position for u in batch.unreadable], pa.int64()),
                "place": pa.array([1] * len(batch.unreadable), pa.int64()),
                "reason": pa.array([u.reason for u in batch.unreadable], pa.string()),
                "message": pa.array([u.message for u in batch.unreadable], pa.string()),
            }
        )
        dead = pa.concat_tables([unmapped.select(unreadable.column_names), unreadable])
        source = pa.repeat(piece.source, len(dead))
        file_id = pa.repeat(piece.file_id, len(dead))
        return (
            dead.add_column(0, "source", source)
            .add_column(1, "file_id", file_id)
            .sort_by("position")
        )


_NO_TIME_OR_TYPE = ("missing_event_time", "bad_event_time", "missing_event_type")


def _reasons(dead_letters: pa.Table) -> np.ndarray:
    return dead_letters["reason"].to_numpy()


EVENT_DICTIONARIES = ("source", "event_type", "channel", "currency", "file_id")
"""Columns of spilled events that are dictionaries: they have few values."""


def spill_events(
    events: pa.Table, source: str, file_id: str, name: str, folder: str, key_buckets: int
) -> Iterator[Any]:
    """Accepted events of one file, by day, and their keys, by bucket; outputs as those of `MapSlices`."""
    days = events["event_time"].cast(pa.int64()).to_numpy() // _DAY_US
    if np.any(days[1:] < days[:-1]):
        order = np.argsort(days, kind="stable")
        events, days = events.take(order), days[order]
    keys = key_events(events, source)
    parts = spill(_compact(events), days, folder, f"events-{name}")
    for day, part in parts:
        yield (source, day), part
    path = parts[0][1].path
    buckets = bucket_of(keys["key"].to_numpy(), key_buckets)
    for bucket, part in spill(keys, buckets, folder, f"keys-{name}", compression=None):
        yield beam.pvalue.TaggedOutput("keys", (bucket, KeyPart(part, path, source, file_id)))


def _compact(events: pa.Table) -> pa.Table:
    """Plain text where there may be many values: each spilled batch would carry them all."""
    for place, field in enumerate(events.schema):
        if pa.types.is_dictionary(field.type) and field.name not in EVENT_DICTIONARIES:
            events = events.set_column(place, field.name, events[field.name].cast(pa.string()))
    return events


class MapSlices(beam.PTransform):
    """Map slices to events.

    Outputs: ``main`` ((source, day), Part of events), ``keys`` (bucket, KeyPart), ``dead``, ``held`` and ``consents``
    (Part), ``counts`` (a dict a batch: where its records went).
    """

    def __init__(
        self,
        config: Config,
        mappings: dict[str, Mapping],
        *,
        pseudonymiser: Pseudonymiser | None,
        tombstones: Tombstones | None,
        now: datetime,
        folder: str,
        key_buckets: int,
        released: dict[str, frozenset[str]],
        threads: int,
    ) -> None:
        super().__init__()
        self._kernel = MapSlice(
            config, mappings, pseudonymiser, tombstones, now, folder, key_buckets, released
        )
        self._threads = threads

    def expand(self, slices: beam.PCollection) -> Any:
        return slices | Kernel(
            self._kernel, self._threads, ("keys", "dead", "held", "consents", "counts")
        )
