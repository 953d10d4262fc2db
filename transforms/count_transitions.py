"""Transitions, paths and what becomes of journeys at their steps, counted bucket by bucket, then added."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import PERSONA, Config
from contracts.table import TIME
from models.attribution_paths import count_paths
from models.counts import by_measure, merge_counts, taken_back
from models.dictionaries import together
from models.hexadecimal import hashes_of, hex_text
from models.money import to_units
from models.satisfaction import ANSWERS
from models.segments import add_segments, findable, segment_inputs
from models.small_groups import fold, group_sizes
from models.step_counts import count_steps, first_day
from models.transition_counts import count_transitions
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts, spill_each
from transforms.read_buckets import Bucket, read_bucket, read_bucket_of, read_journeys

__all__ = ["BucketChange", "CountTransitions", "GroupSizes"]

_STEPS = (
    "journey_id", "step", "event_time", "session_id", "touchpoint", "stage", "channel", "dwell_s",
    "converts", *ANSWERS,
)  # fmt: skip


@dataclass(frozen=True)
class BucketChange:
    """A bucket before and now (None where it was not, or is no more), and whose touchpoints may differ."""

    before: Bucket | None
    now: Bucket | None
    changed: np.ndarray
    """Ascending uint64."""


@dataclass(frozen=True)
class _CountBucket:
    root: str
    config: Config
    watermark: datetime
    folder: str
    folded: Mapping[str, Sequence[str]]
    """By segment the values of too few customers (`models.small_groups`)."""
    since: datetime
    """Watermark of the counts that changes are counted against."""

    def __call__(self, element: Bucket | tuple[BucketChange, ...]) -> Iterator[Any]:
        if isinstance(element, Bucket):
            yield from self._count([(element, None)], self.watermark)
            return
        affected = [(change, self._affected(change)) for change in element]
        some = [(change, customers) for change, customers in affected if len(customers)]
        now = [(change.now, customers) for change, customers in some if change.now is not None]
        was = [
            (change.before, customers) for change, customers in some if change.before is not None
        ]
        yield from self._count(now, self.watermark)
        yield from self._count(was, self.since, taken=True)

    def _affected(self, change: BucketChange) -> np.ndarray:
        """Those who count otherwise now: changed, of another persona, or left alone by the watermark on its way."""
        if change.now is None or change.before is None:
            return change.changed
        ids = [hex_text(change.changed)]
        was, is_ = change.before.personas, change.now.personas
        if PERSONA in self.config.graph.segments and was and is_ and was != is_:
            ids.append(_of_another_persona(self.root, was, is_))
        steps = read_bucket(self.root, change.now.touchpoints, ("customer_id", "event_time"))
        gap = self.config.journey.gap
        begin, end = (pa.scalar(mark - gap, TIME) for mark in (self.since, self.watermark))
        passed = pc.and_(
            pc.greater_equal(steps["event_time"], begin), pc.less(steps["event_time"], end)
        )
        ids.append(steps["customer_id"].filter(passed).cast(pa.string()).unique())
        every = pa.concat_arrays([one.cast(pa.string()) for one in ids]).unique()
        return hashes_of(every.take(pc.sort_indices(every)))

    def _count(
        self,
        buckets: Sequence[tuple[Bucket, np.ndarray | None]],
        watermark: datetime,
        *,
        taken: bool = False,
    ) -> Iterator[Any]:
        """Counts of buckets, of some customers each or of all; negative if they are taken back.

        To count costs something however few customers there are, so those of several buckets are counted at once.
        """
        if not buckets:
            return
        graph = self.config.graph
        journeys = together(
            journeys_of(self.root, self.config, watermark, *bucket) for bucket in buckets
        )
        journeys = fold(journeys, self.folded)
        levels = self.config.attribution_levels
        columns = list(dict.fromkeys([*_STEPS, *levels]))
        steps = together(
            read_bucket_of(self.root, bucket.touchpoints, columns, customers)
            for bucket, customers in buckets
        )
        if not len(steps):
            return  # these customers were, or are, elsewhere
        since = pc.subtract(pa.scalar(watermark, TIME), steps["event_time"])
        settled = pc.greater(since, pa.scalar(self.config.journey.gap, pa.duration("us")))
        steps = steps.append_column("settled", settled)
        transitions = count_transitions(
            steps,
            journeys,
            graph.segments,
            stages=self.config.stages,
            returns=graph.returns,
            contacts=self.config.contacts,
        )
        attribution = self.config.attribution
        paths = count_paths(
            steps,
            journeys,
            levels,
            transform=attribution.transform,
            lookback=attribution.lookback,
            half_life=attribution.half_life,
        )
        by_day = count_steps(
            steps,
            journeys,
            findable(graph.segments, self.config.attributes),
            window=graph.window,
            pause=self.config.session.gap,
            contacts=self.config.contacts,
            since=first_day(self.watermark, graph.history),
        )
        for kind, counts in (
            ("transitions", transitions),
            ("paths", paths),
            ("steps", by_day),
        ):
            name = f"{kind}-{buckets[0][0].number:04d}"
            parts = by_measure(taken_back(counts) if taken else counts)
            for measure, part in spill_each(parts, self.folder, name):
                yield (kind, measure), part
        converted = journeys["converted"].to_numpy(zero_copy_only=False)
        sign = -1 if taken else 1
        value = {
            "converted": sign * int(converted.sum()),
            "value_units": sign * int(to_units(journeys["value"])[converted].sum()),
        }
        yield beam.pvalue.TaggedOutput("results", ("converted", value))


def _of_another_persona(root: str, before: str, now: str) -> pa.Array:
    """Customers with a journey that is new or has another persona, of two files of `journey_personas`."""
    columns = ("journey_id", "persona_id", "customer_id")
    was, is_ = (read_bucket(root, path, columns) for path in (before, now))
    place = pc.index_in(
        is_["journey_id"].cast(pa.string()), value_set=was["journey_id"].cast(pa.string())
    )
    persona = was["persona_id"].cast(pa.string()).take(place)
    same = pc.equal(persona, is_["persona_id"].cast(pa.string()))
    others = pc.invert(pc.fill_null(same, False))
    return is_["customer_id"].filter(others).cast(pa.string()).unique()


def journeys_of(
    root: str,
    config: Config,
    watermark: datetime,
    bucket: Bucket,
    customers: np.ndarray | None = None,
) -> pa.Table:
    """A bucket's journeys, of some customers or all, with their outcome and a column for each segment."""
    segments = config.graph.segments
    inputs = segment_inputs(segments, config.attributes)
    columns = list(dict.fromkeys(["journey_id", "customer_id", "value", *inputs]))
    gap = config.journey.gap
    journeys = read_journeys(root, bucket, columns, watermark, gap, customers)
    personas = None
    if PERSONA in segments and bucket.personas:
        personas = read_bucket_of(root, bucket.personas, ("journey_id", "persona_id"), customers)
    return add_segments(journeys, segments, personas)


@dataclass(frozen=True)
class _Add:
    """Adds a measure's counts of all buckets; their number of rows is that of edges, not of steps."""

    folder: str

    def __call__(
        self, element: tuple[tuple[str, str], Iterable[Part]]
    ) -> Iterator[tuple[str, Any]]:
        (kind, measure), parts = element
        counts = merge_counts(table for _, table in read_parts(parts))
        path = Path(self.folder, f"{kind}-{measure}-{uuid.uuid4().hex}.arrow")
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, counts.schema) as writer:
            writer.write_table(counts)
        yield kind, str(path)


class CountTransitions(beam.PTransform):
    """Each `Bucket`, or some of `BucketChange`, to results: ``("transitions", path)``, ``("paths", path)`` and
    ``("steps", path)``, an Arrow file for each measure of the sums of `models.transition_counts`,
    `models.attribution_paths` and `models.step_counts`; ``("converted", ...)`` a bucket. What changes add up to
    is to be added to former sums.
    """

    def __init__(
        self,
        root: str,
        config: Config,
        watermark: datetime,
        folder: str,
        folded: Mapping[str, Sequence[str]],
        threads: int,
        since: datetime | None = None,
    ) -> None:
        super().__init__()
        self._count = _CountBucket(root, config, watermark, folder, folded, since or watermark)
        self._add = _Add(folder)
        self._threads = threads

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        counted = buckets | "CountBuckets" >> Kernel(self._count, self._threads, ("results",))
        added = (
            counted.main
            | "GroupCounts" >> beam.GroupByKey()
            | "AddCounts" >> Kernel(self._add, self._threads)
        )
        return (added, counted.results) | "CountResults" >> beam.Flatten()


@dataclass(frozen=True)
class _SizeBucket:
    root: str
    config: Config
    watermark: datetime

    def __call__(self, bucket: Bucket) -> Iterator[tuple[str, dict[str, Any]]]:
        journeys = journeys_of(self.root, self.config, self.watermark, bucket)
        for size in group_sizes(journeys, self.config.graph.segments):
            yield "size", vars(size)


class GroupSizes(beam.PTransform):
    """Buckets to results ``("size", ...)``: the customers of each value of a segment (`models.small_groups`)."""

    def __init__(self, root: str, config: Config, watermark: datetime, threads: int) -> None:
        super().__init__()
        self._size = _SizeBucket(root, config, watermark)
        self._threads = threads

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        return buckets | "SizeBuckets" >> Kernel(self._size, self._threads)
