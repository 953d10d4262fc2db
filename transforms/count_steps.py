"""What becomes of journeys at their steps, counted bucket by bucket, then added.

Periods are no segments here: days are counted, and an incident says itself when it was.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from contracts.config import PERIODS, PERSONA, Config
from models.counts import merge_counts
from models.segments import add_segments, segment_inputs
from models.step_counts import count_steps
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts, spill
from transforms.read_buckets import Bucket, read_bucket, read_journeys

__all__ = ["CountSteps", "first_day"]

_STEPS = ("journey_id", "step", "event_time", "touchpoint", "converts", "csat")
_EPOCH = datetime(1970, 1, 1)


def first_day(watermark: datetime, history: timedelta) -> int:
    """The first day that is told from the others, in days since 1970."""
    return (watermark.replace(tzinfo=None) - history - _EPOCH).days


@dataclass(frozen=True)
class _CountBucket:
    root: str
    config: Config
    watermark: datetime
    folder: str

    def __call__(self, bucket: Bucket) -> Iterator[Any]:
        graph = self.config.graph
        segments = [n for n in graph.segments if n not in PERIODS or n in self.config.attributes]
        inputs = segment_inputs(segments, self.config.attributes)
        columns = list(dict.fromkeys(["journey_id", "customer_id", *inputs]))
        journeys = read_journeys(
            self.root, bucket, columns, self.watermark, self.config.journey.gap
        )
        personas = None
        if PERSONA in segments and bucket.personas:
            personas = read_bucket(self.root, bucket.personas, ("journey_id", "persona_id"))
        counts = count_steps(
            read_bucket(self.root, bucket.touchpoints, _STEPS),
            add_segments(journeys, segments, personas),
            segments,
            window=graph.window,
            pause=self.config.session.gap,
            contacts=self.config.contacts,
            since=first_day(self.watermark, graph.history),
        )
        name = f"steps-{bucket.number:04d}"
        for _, part in spill(counts, np.zeros(len(counts), np.int64), self.folder, name):
            yield "steps", part


@dataclass(frozen=True)
class _Add:
    folder: str

    def __call__(self, element: tuple[str, Iterable[Part]]) -> Iterator[tuple[str, Any]]:
        kind, parts = element
        counts = merge_counts(table for _, table in read_parts(parts))
        path = Path(self.folder, f"{kind}-{uuid.uuid4().hex}.arrow")
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, counts.schema) as writer:
            writer.write_table(counts)
        yield kind, str(path)


class CountSteps(beam.PTransform):
    """Buckets to one result: ``("steps", path)``, an Arrow file of the sum of `count_steps`."""

    def __init__(
        self, root: str, config: Config, watermark: datetime, folder: str, threads: int
    ) -> None:
        super().__init__()
        self._count = _CountBucket(root, config, watermark, folder)
        self._add = _Add(folder)
        self._threads = threads

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        counted = buckets | "CountBucketSteps" >> Kernel(self._count, self._threads)
        return counted | "GroupSteps" >> beam.GroupByKey() | "AddSteps" >> Kernel(self._add)
