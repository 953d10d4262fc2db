"""What the jobs share: a run's context, runner options that are known to be right, and results.

A stage is a function of its inputs (docs/adr/0003). `run_stage` compares the fingerprint of what the
stage depends on with the one recorded in the draft, and does nothing if they are equal.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult

from contracts.config import Config
from contracts.errors import (
    FootpathError,
    StageOrderError,
    UnsupportedRunner,
)
from contracts.lake import DataFile, Lake, Manifest, StageRecord, write_atomically
from contracts.loading import load_config
from contracts.lock import locked
from models.identifiers import Pseudonymiser
from models.tombstones import Tombstones
from pipelines.keys import pseudonymiser, tombstones
from pipelines.measure import PeakMemory
from transforms.kernel import COUNTERS

__all__ = ["Reprocess", "Run", "Stage", "collect", "main", "options_for", "run_stage"]

_View = TypeVar("_View", bound=PipelineOptions)

_REFUSED = {
    "DirectRunner": "it means a different runner on each machine; use FnApiRunner",
    "DaskRunner": "it drops branches of a pipeline without an error",
    "RayRunner": "it does not work with this Beam",
}


@dataclass(frozen=True)
class Stage:
    """A step of a run: what it reads, and what of the configuration it depends on."""

    name: str
    reads: tuple[str, ...]
    fingerprint: Callable[[Run], str]
    execute: Callable[[Run], dict[str, Any]]
    """Writes files, sets entries of `run.draft.tables`, returns facts for later stages."""
    due: Callable[[Run], bool] = lambda _: False
    """Whether it must run although nothing it depends on has changed: time has passed, somebody gave an order."""

    def is_needed(self, run: Run, fingerprint: str) -> bool:
        """Whether it has anything to do, given its fingerprint of now."""
        known = run.draft.stages.get(self.name)
        return known is None or known.fingerprint != fingerprint or self.due(run)


@dataclass(frozen=True)
class Reprocess:
    """An order to read files of a source again, for its declaration was mended (`pipelines.reprocess`)."""

    source: str
    since: date
    """The first day, UTC, whose records the mended declaration may read otherwise."""


@dataclass
class Run:
    """One run over a warehouse: configuration, lake, base and draft, runner options."""

    config: Config
    lake: Lake
    base: Manifest
    draft: Manifest
    options: PipelineOptions
    kernel_threads: int
    run_id: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f"))
    log: list[dict[str, Any]] = field(default_factory=list)
    """What each stage did: the columns of `runs`, and `error` where it failed."""
    counters: dict[str, int] = field(default_factory=dict)
    """Beam's counters of the stage that runs."""
    reprocess: Reprocess | None = None

    @classmethod
    def begin(
        cls,
        config: Config,
        beam_args: Sequence[str] = (),
        full_refresh: bool = False,
        reprocess: Reprocess | None = None,
    ) -> Run:
        """Open the warehouse's draft with the given Beam options.

        A full refresh starts from no draft, and from a base in which no stage has run: every source is read anew.
        Its tables are still there, for what tells of the past (runs, fits, changes) goes on from them.
        """
        lake = Lake(config.warehouse)
        options, threads = options_for(beam_args)
        if not full_refresh:
            base, draft = lake.published(), lake.draft()
            return cls(config, lake, base, draft, options, threads, reprocess=reprocess)
        base = lake.published()
        base.stages.clear()
        base.tables.pop("event_keys", None)
        return cls(config, lake, base, base.copy(), options, threads)

    @property
    def now(self) -> datetime:
        """The declared present, or the clock."""
        return self.config.as_of or datetime.now(UTC)

    @property
    def watermark(self) -> datetime:
        """The declared present, or the greatest event time accepted."""
        if self.config.as_of:
            return self.config.as_of
        times = [f.meta["max_event_us"] for f in self.draft.tables.get("events", [])]
        return datetime.fromtimestamp(max(times, default=0) / 1_000_000, UTC)

    def pseudonymiser(self) -> Pseudonymiser | None:
        """The keyed hash for personal identifiers (`pipelines.keys.pseudonymiser`)."""
        return pseudonymiser(self.config)

    def tombstones(self) -> Tombstones | None:
        """Who was erased; None if nobody was (`pipelines.keys.tombstones`)."""
        return tombstones(self.config, self.lake)

    @property
    def is_alone(self) -> bool:
        """Whether this process does all the work, so that there is nobody to deal it out to."""
        return _is_alone(self.options)

    def spread(self, values: Iterable[Any]) -> beam.PTransform:
        """Elements for a pipeline to begin with, dealt out to its workers."""
        return _InFewSteps(tuple(values)) if self.is_alone else beam.Create(values)

    @contextlib.contextmanager
    def pipeline(self) -> Iterator[beam.Pipeline]:
        """A new Beam pipeline with the run's options; it runs when the block ends."""
        pipeline = beam.Pipeline(options=self.options)
        with pipeline:
            yield pipeline
        for name, value in _counters(pipeline.result).items():
            self.counters[name] = self.counters.get(name, 0) + value


class _InFewSteps(beam.PTransform):
    """Beam's `Create` where there is nobody to deal out to: each of its steps costs a small run milliseconds."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        super().__init__()
        self._values = values

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection:
        values = self._values
        return begin | beam.Impulse() | "Values" >> beam.FlatMap(lambda _: values)


def _counters(result: PipelineResult) -> dict[str, int]:
    """Footpath's counters by name; those of a kernel are named by its step.

    What a retried bundle counted is left out where the runner knows of it.
    """
    counters = result.metrics().query(MetricsFilter().with_namespace(COUNTERS))["counters"]
    totals: dict[str, int] = {}
    for counter in counters:
        name = counter.key.metric.name
        if name.startswith("kernel_"):
            step = counter.key.step.split("/ParDo(")[0].removesuffix("/Kernel")
            name = f"{step}.{name.removeprefix('kernel_')}"
        totals[name] = totals.get(name, 0) + int(counter.result or 0)
    return totals


class _Options(PipelineOptions):
    """Beam's options, with views that are made once.

    Beam looks at them several times for each transform of a pipeline, and builds a parser of arguments for each look.
    """

    def view_as(self, cls: type[_View]) -> _View:
        views = self.__dict__.setdefault("views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        view: _View = views[cls]
        return view


def _is_alone(options: PipelineOptions) -> bool:
    """Whether one process does all the work."""
    embedded = options.view_as(StandardOptions).runner == "FnApiRunner"
    mode = options.view_as(DirectOptions).direct_running_mode
    return embedded and mode in (None, "in_memory")


def options_for(beam_args: Sequence[str]) -> tuple[PipelineOptions, int]:
    """Beam options and the number of kernel threads.

    The default is the embedded runner in memory with one kernel thread a core.

    Raises
    ------
    UnsupportedRunner
        For runners and modes that are known to lose data (docs/operations.md).
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    parser.add_argument("--kernel_threads", type=int)
    ours, rest = parser.parse_known_args(list(beam_args))
    options = _Options(rest)
    runner = options.view_as(StandardOptions).runner
    if runner in _REFUSED:
        raise UnsupportedRunner(f"--runner={runner} is refused: {_REFUSED[runner]}")
    if options.view_as(DirectOptions).direct_running_mode == "multi_threading":
        raise UnsupportedRunner(
            "--direct_running_mode=multi_threading is refused: it loses records without an error; "
            "leave it out, or use multi_processing"
        )
    if runner is None:
        options.view_as(StandardOptions).runner = "FnApiRunner"
    options.view_as(SetupOptions).save_main_session = False
    threads = ours.kernel_threads or (len(os.sched_getaffinity(0)) if _is_alone(options) else 1)
    return options, threads


def run_stage(run: Run, stage: Stage) -> bool:
    """Run a stage unless nothing it depends on has changed; returns whether it ran.

    Raises
    ------
    StageOrderError
        If a table it reads was never written.
    """
    for table in stage.reads:
        if table not in run.draft.tables:
            raise StageOrderError(
                f"'{stage.name}' reads the table {table}, which is not there yet; "
                "run the stages before it, or 'footpath run'"
            )
    fingerprint = stage.fingerprint(run)
    entry: dict[str, Any] = {
        "run_id": run.run_id,
        "stage": stage.name,
        "started_at": datetime.now(UTC).isoformat(),
        "rows": 0,
        "bytes": 0,
        "skipped": not stage.is_needed(run, fingerprint),
    }
    run.log.append(entry)
    run.counters = {}
    before = set(run.draft.names(*run.draft.tables))
    clock = time.monotonic()
    try:
        with PeakMemory() as peak:
            facts = {} if entry["skipped"] else stage.execute(run)
        pa.default_memory_pool().release_unused()  # the next stage has other uses for it
    except BaseException as error:
        # What others raise may quote a record, which no file may hold.
        entry["error"] = str(error) if isinstance(error, FootpathError) else type(error).__name__
        raise
    finally:
        entry["duration_s"] = time.monotonic() - clock
        entry["peak_memory_mb"] = peak.bytes / (1 << 20)
        entry["counters"] = dict(sorted(run.counters.items()))
    run.draft.facts.setdefault("log", []).append(entry)
    if not entry["skipped"]:
        written = set(run.draft.names(*run.draft.tables)) - before
        sizes = sum((run.lake.root / path).stat().st_size for path in written)
        entry["bytes"] = sizes + int(facts.get("bytes", 0))
        entry["rows"] = int(facts.get("rows", 0))
        run.draft.stages[stage.name] = StageRecord(fingerprint, facts)
        run.lake.save_draft(run.draft)
    return not entry["skipped"]


def collect(results: Iterable[beam.PCollection], path: Path) -> None:
    """Bring small results of a pipeline back to the driver, through one file that appears when whole.

    Elements are tuples of a kind and a JSON-like value; `read_results` gives them back.
    """
    results = tuple(results)
    # Not the impulse itself: Flink's runner can't flatten what it has made itself.
    nothing = results[0].pipeline | beam.Impulse() | "Nothing" >> beam.Map(lambda _: (0, ""))
    lines = results | "FlattenResults" >> beam.Flatten() | "EncodeResults" >> beam.Map(_encoded)
    (
        (lines, nothing)
        | "AtLeastNothing" >> beam.Flatten()
        | "GatherResults" >> beam.GroupByKey()
        | "WriteResults" >> beam.MapTuple(lambda _, lines: _write_results(path, lines))
    )


def _encoded(result: tuple[str, Any]) -> tuple[int, str]:
    """A line, under the one key that all are gathered by."""
    kind, value = result
    value = asdict(value) if isinstance(value, DataFile) else value
    return 0, json.dumps([kind, value], sort_keys=True)


def _write_results(path: Path, lines: Iterable[str]) -> None:
    write_atomically(path, "\n".join(sorted(filter(None, lines))))


def read_results(path: Path) -> dict[str, list[Any]]:
    """Results by kind, in an order that does not depend on the runner."""
    results: dict[str, list[Any]] = {}
    for line in path.read_text("utf-8").splitlines():
        kind, value = json.loads(line)
        results.setdefault(kind, []).append(value)
    return results


def data_files(values: Iterable[dict[str, Any]]) -> list[DataFile]:
    """Data files among the results, sorted by path."""
    return sorted((DataFile(**value) for value in values), key=lambda file: file.path)


def main(stage: Stage, argv: Sequence[str] | None = None) -> None:
    """Run one stage as a Beam job: ``python -m pipelines.<stage> --config footpath.yml ...``."""
    parser = argparse.ArgumentParser(prog=f"python -m pipelines.{stage.name}", allow_abbrev=False)
    parser.add_argument("--config", default="footpath.yml", help="configuration file")
    ours, beam_args = parser.parse_known_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    config = load_config(ours.config)
    with locked(config.warehouse):
        ran = run_stage(Run.begin(config, beam_args), stage)
    logging.info("%s: %s", stage.name, "done" if ran else "nothing to do")


def scratch_folder(run: Run, stage: str) -> Path:
    """An empty scratch folder of the run; older ones of the same stage are removed."""
    for old in (run.lake.root / "scratch").glob(f"{stage}-*"):
        shutil.rmtree(old, ignore_errors=True)
    return run.lake.scratch(stage)
