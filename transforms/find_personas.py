"""Personas fitted on a sample of all buckets, then given to every customer, bucket by bucket."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from contracts.config import Config
from contracts.schemas import table_schema
from models.journey_sample import sample_bound, sample_hashes, sampled_steps
from models.persona_ledger import Published, next_model
from models.persona_portraits import PersonaCounts
from models.personas import apply_personas
from transforms.kernel import Kernel
from transforms.parts import Part, read_parts, spill
from transforms.read_buckets import Bucket, read_bucket, read_journeys
from transforms.write_table import write_table

__all__ = ["FindPersonas", "counted"]

_STEPS = ("journey_id", "customer_id", "step", "touchpoint", "channel", "dwell_s")
_TOLD = (*_STEPS, "stage", "csat")
_NO_STEPS = pa.schema([table_schema("touchpoints").field(name) for name in _STEPS]).empty_table()


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

    def steps(self, bucket: Bucket, columns: tuple[str, ...] = _STEPS) -> pa.Table:
        """The steps of a bucket."""
        return read_bucket(self.root, bucket.touchpoints, columns)


@dataclass(frozen=True)
class _Hashes:
    context: _Context

    def __call__(self, bucket: Bucket) -> Iterator[tuple[int, bytes]]:
        wanted = self.context.config.personas
        hashes = sample_hashes(
            self.context.steps(bucket), wanted.fit_sample, wanted.min_touchpoints
        )
        yield 0, hashes.tobytes()


@dataclass(frozen=True)
class _Bound:
    context: _Context

    def __call__(self, element: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        hashes = [np.frombuffer(part, np.uint64) for part in element[1]]
        yield sample_bound(hashes, self.context.config.personas.fit_sample)


@dataclass(frozen=True)
class _Sample:
    context: _Context

    def __call__(self, bucket: Bucket, bound: int) -> Iterator[tuple[int, Part | None]]:
        yield 0, None  # so that there is a fit, though no journey may be long enough
        steps = sampled_steps(
            self.context.steps(bucket), bound, self.context.config.personas.min_touchpoints
        )
        zeros = np.zeros(len(steps), np.int64)
        for _, part in spill(steps, zeros, self.context.folder, f"sample-{bucket.number:04d}"):
            yield 0, part


@dataclass(frozen=True)
class _Fit:
    """Fits once, wherever the runner puts it; the model travels as a file."""

    context: _Context

    def __call__(self, element: tuple[int, Iterable[Part | None]]) -> Iterator[str]:
        parts = [part for part in element[1] if part is not None]
        tables = [table for _, table in read_parts(parts)] or [_NO_STEPS]
        sample = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
        context = self.context
        last = Published.from_json(context.last) if context.last else None
        found = next_model(sample, context.config.personas, context.run_id, context.watermark, last)
        path = Path(context.folder, f"model-{uuid.uuid4().hex}.pickle")
        path.write_bytes(pickle.dumps(found))
        yield str(path)


@dataclass(frozen=True)
class _Assign:
    context: _Context

    def __call__(self, bucket: Bucket, model_path: str) -> Iterator[tuple[str, Any]]:
        context = self.context
        journeys = read_journeys(
            context.root,
            bucket,
            ["journey_id", "value"],
            context.watermark,
            context.config.journey.gap,
        )
        found = apply_personas(
            _load(model_path).model,
            context.steps(bucket, _TOLD),
            journeys,
            context.config.stages,
        )
        tables = {"journey_personas": found.journeys, "customer_personas": found.customers}
        for table, rows in tables.items():
            path = f"tables/{table}/bucket={bucket.number:04d}/{context.name}.parquet"
            yield table, write_table(context.root, path, rows, bucket=bucket.number)
        counts = Path(context.folder, f"counts-{uuid.uuid4().hex}.pickle")
        counts.write_bytes(pickle.dumps(found.counts))
        yield "portrait_counts", {"path": str(counts), "model": model_path}


def _load(path: str) -> Published:
    found: Published = pickle.loads(Path(path).read_bytes())
    return found


def counted(values: list[dict[str, str]]) -> tuple[Published, PersonaCounts]:
    """The model and the counts of all customers, from the results ``portrait_counts``."""
    counts = [pickle.loads(Path(value["path"]).read_bytes()) for value in values]
    return _load(values[0]["model"]), PersonaCounts.total(counts)


class FindPersonas(beam.PTransform):
    """Buckets to results, of each bucket: ``("journey_personas", DataFile)``, the same of
    ``customer_personas``, and ``("portrait_counts", ...)``.

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
        threads: int,
    ) -> None:
        super().__init__()
        self._context = _Context(root, config, watermark, folder, name, run_id, last)
        self._threads = threads

    def expand(self, buckets: beam.PCollection) -> beam.PCollection:
        context, threads = self._context, self._threads
        bound = (
            buckets
            | "HashJourneys" >> Kernel(_Hashes(context), threads)
            | "GroupHashes" >> beam.GroupByKey()
            | "BoundSample" >> Kernel(_Bound(context))
        )
        model = (
            buckets
            | "Sample" >> Kernel(_Sample(context), threads, (), (beam.pvalue.AsSingleton(bound),))
            | "GroupSample" >> beam.GroupByKey()
            | "Fit" >> Kernel(_Fit(context))
        )
        return buckets | "Assign" >> Kernel(
            _Assign(context), threads, (), (beam.pvalue.AsSingleton(model),)
        )
