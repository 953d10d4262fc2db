"""Personas fitted on a sample of all buckets, then given to every customer, bucket by bucket."""

from __future__ import annotations

import pickle
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
import pyarrow.parquet as pq

from contracts.config import Config
from contracts.lake import DataFile
from contracts.schemas import table_schema
from contracts.table import TIME
from models.dictionaries import together
from models.distinct import ascending
from models.hexadecimal import hashes_of, hex_text
from models.journey_sample import hash_numbers, long_enough, sample_bound, sampled_steps
from models.persona_ledger import Published, next_model
from models.persona_portraits import PersonaCounts
from models.personas import Assignment, apply_personas
from models.touched_customers import contains
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts, spill
from transforms.read_buckets import Bucket, read_bucket, read_bucket_of, read_journeys
from transforms.write_table import write_table

__all__ = ["FindPersonas", "KnownBucket", "PersonaBucket", "counted", "fitted"]

_STEPS = ("journey_id", "customer_id", "step", "touchpoint", "channel", "dwell_s")
_TOLD = (*_STEPS, "stage", "csat")
_NO_STEPS = pa.schema([table_schema("touchpoints").field(name) for name in _STEPS]).empty_table()


@dataclass(frozen=True)
class PersonaBucket:
    """A bucket, and what of the published version its personas may be made from."""

    now: Bucket
    before: KnownBucket | None = None


@dataclass(frozen=True)
class KnownBucket:
    """A bucket as it was, and whose touchpoints are not the same now (ascending uint64)."""

    bucket: Bucket
    long_enough: DataFile
    personas: Mapping[str, DataFile]
    """Files of `journey_personas` and `customer_personas`."""
    changed: np.ndarray


@dataclass(frozen=True)
class _Context:
    root: str
    config: Config
    watermark: datetime
    folder: str
    name: str
    run_id: str
    last: str | None
    """The last published model, as JSON."""
    since: datetime
    """Watermark of the published version."""

    def steps(
        self, bucket: Bucket, columns: tuple[str, ...] = _STEPS, customers: np.ndarray | None = None
    ) -> pa.Table:
        """The steps of a bucket, of some customers or all."""
        return read_bucket_of(self.root, bucket.touchpoints, columns, customers)

    def path(self, table: str, bucket: Bucket, kind: str) -> str:
        """A new file of a table."""
        return f"tables/{table}/bucket={bucket.number:04d}/{self.name}.{kind}"


@dataclass(frozen=True)
class _Hashes:
    """Numbers of the customers who may be drawn, of whom a file is kept: customer and number, as uint64."""

    context: _Context

    def __call__(self, bucket: PersonaBucket) -> Iterator[Any]:
        file, numbers = self._numbers(bucket)
        yield beam.pvalue.TaggedOutput("results", ("persona_eligible", file))
        yield 0, np.sort(numbers)[: self.context.config.personas.fit_sample].tobytes()

    def _numbers(self, bucket: PersonaBucket) -> tuple[DataFile, np.ndarray]:
        context, before = self.context, bucket.before
        known, changed = np.zeros((2, 0), np.uint64), None
        if before is not None:
            known, changed = np.load(Path(context.root, before.long_enough.path)), before.changed
            if before.bucket.touchpoints == bucket.now.touchpoints:
                return before.long_enough, known[1]
            known = known[:, ~contains(changed, known[0])]
        steps = context.steps(bucket.now, customers=changed)
        ids = long_enough(steps, context.config.personas.min_touchpoints)
        every = np.concatenate([known, np.stack([hashes_of(ids), hash_numbers(ids)])], axis=1)
        path = context.path("persona_eligible", bucket.now, "npy")
        Path(context.root, path).parent.mkdir(parents=True, exist_ok=True)
        np.save(Path(context.root, path), every)
        return DataFile(path, every.shape[1], {"bucket": bucket.now.number}), every[1]


@dataclass(frozen=True)
class _Bound:
    context: _Context

    def __call__(self, element: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        hashes = [np.frombuffer(part, np.uint64) for part in element[1]]
        yield sample_bound(hashes, self.context.config.personas.fit_sample)


@dataclass(frozen=True)
class _Sample:
    context: _Context

    def __call__(self, bucket: PersonaBucket, bound: int) -> Iterator[tuple[int, Part | None]]:
        yield 0, None  # so that there is a fit, though no journey may be long enough
        steps = sampled_steps(
            self.context.steps(bucket.now), bound, self.context.config.personas.min_touchpoints
        )
        zeros = np.zeros(len(steps), np.int64)
        for _, part in spill(steps, zeros, self.context.folder, f"sample-{bucket.now.number:04d}"):
            yield 0, part


@dataclass(frozen=True)
class _Fit:
    """Fits once, wherever the runner puts it; the model travels as a file."""

    context: _Context

    def __call__(self, element: tuple[int, Iterable[Part | None]]) -> Iterator[str]:
        parts = [part for part in element[1] if part is not None]
        tables = [table for _, table in read_parts(parts)] or [_NO_STEPS]
        sample = together(tables)
        context = self.context
        last = Published.from_json(context.last) if context.last else None
        found = next_model(sample, context.config.personas, context.run_id, context.watermark, last)
        path = Path(context.folder, f"model-{uuid.uuid4().hex}.pickle")
        path.write_bytes(pickle.dumps(found))
        yield str(path)


@dataclass(frozen=True)
class _Assign:
    context: _Context

    def __call__(self, bucket: PersonaBucket, model_path: str) -> Iterator[tuple[str, Any]]:
        context = self.context
        model = _load(model_path)
        last = Published.from_json(context.last) if context.last else None
        before = bucket.before if last is not None and last.fit_id == model.fit_id else None
        customers = None if before is None else self._affected(bucket.now, before)
        if before is not None and customers is not None and not len(customers):
            yield from before.personas.items()
            yield "portrait_counts", {"path": None, "model": model_path}
            return
        found = self._apply(model, bucket.now, context.watermark, customers)
        for table in ("journey_personas", "customer_personas"):
            parts = [] if found is None else [getattr(found, table.removesuffix("_personas") + "s")]
            if before is not None and customers is not None:
                parts.append(_others(Path(context.root, before.personas[table].path), customers))
            path = context.path(table, bucket.now, "parquet")
            rows = pa.concat_tables(parts).combine_chunks()
            yield table, write_table(context.root, path, rows, bucket=bucket.now.number)
        counts = [] if found is None else [found.counts]
        if before is not None:
            old = self._apply(model, before.bucket, context.since, customers)
            counts += [] if old is None else [old.counts.taken_back()]
        file = Path(context.folder, f"counts-{uuid.uuid4().hex}.pickle")
        file.write_bytes(pickle.dumps(counts))
        yield "portrait_counts", {"path": str(file), "model": model_path}

    def _affected(self, now: Bucket, before: KnownBucket) -> np.ndarray:
        """Those whose touchpoints changed, or of whom a journey has lapsed since."""
        ended = read_bucket(self.context.root, now.journeys, ("customer_id", "ended_at"))
        gap, marks = self.context.config.journey.gap, (self.context.since, self.context.watermark)
        begin, end = (pa.scalar(mark - gap, TIME) for mark in (min(marks), max(marks)))
        at = ended["ended_at"]
        passed = pc.and_(pc.greater_equal(at, begin), pc.less(at, end))
        lapsed = ended["customer_id"].filter(passed).cast(pa.string()).unique()
        return ascending(np.concatenate([before.changed, hashes_of(lapsed)]))

    def _apply(
        self, model: Published, bucket: Bucket, watermark: datetime, customers: np.ndarray | None
    ) -> Assignment | None:
        """Personas of some customers or all; None if the bucket has none of them."""
        context = self.context
        columns, gap = ["journey_id", "value"], context.config.journey.gap
        journeys = read_journeys(context.root, bucket, columns, watermark, gap, customers)
        steps = context.steps(bucket, _TOLD, customers)
        if not len(steps):
            return None
        return apply_personas(model.model, steps, journeys, context.config.stages)


def _others(path: Path, customers: np.ndarray) -> pa.Table:
    """Rows of a file but for those of some customers."""
    rows = pq.read_table(path, partitioning=None, use_threads=False)
    return rows.filter(pc.invert(pc.is_in(rows["customer_id"], value_set=hex_text(customers))))


def _load(path: str) -> Published:
    found: Published = pickle.loads(Path(path).read_bytes())
    return found


def fitted(values: list[dict[str, Any]]) -> str:
    """Which fit the results ``portrait_counts`` are of."""
    return _load(values[0]["model"]).fit_id


def counted(
    values: list[dict[str, Any]], known: Sequence[PersonaCounts] = ()
) -> tuple[Published, PersonaCounts]:
    """The model and the counts of all customers, from the results ``portrait_counts`` and what they add to."""
    paths = [Path(value["path"]) for value in values if value["path"] is not None]
    counts = [part for path in paths for part in pickle.loads(path.read_bytes())]
    return _load(values[0]["model"]), PersonaCounts.total([*known, *counts])


class FindPersonas(beam.PTransform):
    """Each `PersonaBucket` to results: ``("journey_personas", DataFile)``, the same of ``customer_personas`` and
    ``persona_eligible``, and ``("portrait_counts", ...)``, which add to those published if the fit is the same.

    `name` is the file name of this state of the tables, `last` the last published model as JSON.
    """

    def __init__(
        self,
        root: str,
        config: Config,
        watermark: datetime,
        folder: str,
        name: str,
        run_id: str,
        last: str | None,
        since: datetime,
        threads: int,
    ) -> None:
        super().__init__()
        self._context = _Context(root, config, watermark, folder, name, run_id, last, since)
        self._threads = threads

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        context, threads = self._context, self._threads
        hashed = buckets | "HashJourneys" >> Kernel(_Hashes(context), threads, ("results",))
        bound = (
            hashed.main
            | "GroupHashes" >> beam.GroupByKey()
            | "BoundSample" >> Kernel(_Bound(context))
        )
        model = (
            buckets
            | "Sample" >> Kernel(_Sample(context), threads, (), (beam.pvalue.AsSingleton(bound),))
            | "GroupSample" >> beam.GroupByKey()
            | "Fit" >> Kernel(_Fit(context))
        )
        assigned = buckets | "Assign" >> Kernel(
            _Assign(context), threads, (), (beam.pvalue.AsSingleton(model),)
        )
        return (hashed.results, assigned) | "FlattenFound" >> beam.Flatten()
