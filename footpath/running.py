"""Running stages in order, with progress on a terminal and log lines elsewhere."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow.parquet as pq

from contracts.config import Config
from contracts.lock import locked
from footpath.console import STDERR, progress
from footpath.observing import observe
from footpath.remaining import Remaining, durations
from footpath.versions import retire
from pipelines.decisions import read_erasures
from pipelines.job import Reprocess, Run, Stage, run_stage

__all__ = ["STAGES", "is_unpublished", "run_stages", "stage_of"]

STAGES = ("ingest", "resolve", "sessionize", "journeys", "personas", "graph", "publish")
"""Stages in the order in which they run."""

_LOG = logging.getLogger("footpath")


def run_stages(
    config: Config,
    names: Sequence[str],
    beam_args: Sequence[str],
    full_refresh: bool = False,
    reprocess: Reprocess | None = None,
) -> Run:
    """Run the named stages under the warehouse's lock; publish if `publish` is among them."""
    with locked(config.warehouse):
        run = Run.begin(config, beam_args, full_refresh, reprocess)
        if read_erasures(run.lake):
            run = _without_the_erased(config, beam_args, full_refresh, reprocess)
        log = _log(run) if STDERR.is_terminal else []  # nobody else is told
        remaining = Remaining(names, durations(log, whole=not run.base.stages))
        with progress(len(names), remaining.seconds) as step:

            def begin(name: str) -> None:
                remaining.begin(name)
                step(name)

            carry_out(run, names, begin)
    return run


def _log(run: Run) -> list[dict[str, Any]]:
    """What stages did before, in order: rows of `runs`, and what is not published yet."""
    files = run.lake.paths(run.base, "runs")
    columns = ["stage", "duration_s", "skipped"]
    published = [row for path in files for row in pq.read_table(path, columns=columns).to_pylist()]
    return [*published, *run.draft.facts.get("log", [])]


def carry_out(
    run: Run, names: Sequence[str], step: Callable[[str], object] = lambda name: None
) -> None:
    """Run stages and leave word of it for monitors; `step` is told each name."""
    try:
        for name in names:
            step(name)
            _run_stage(run, name)
    except BaseException as error:
        observe(run, error)
        raise
    observe(run)


def _without_the_erased(
    config: Config, beam_args: Sequence[str], full_refresh: bool, reprocess: Reprocess | None
) -> Run:
    """Complete erasures that were begun before anything else is done."""
    from footpath.erasing import complete_erasures, mark_applied  # it runs stages itself

    for line in complete_erasures(Run.begin(config, beam_args)):
        _LOG.info(line)
    run = Run.begin(config, beam_args, full_refresh, reprocess)
    mark_applied(run)
    return run


def _run_stage(run: Run, name: str) -> None:
    ran = run_stage(run, stage_of(name))
    entry = run.log[-1]
    _LOG.info(
        "%s: %s",
        name,
        f"{entry['rows']:,} rows in {entry['duration_s']:.1f} s" if ran else "nothing new",
        extra={"stage": name, "details": entry},
    )
    if name == "publish" and is_unpublished(run):
        folder = run.lake.publish(run.draft)
        _LOG.info("published version %s", folder.name, extra={"stage": name})
        retire(run.lake, run.config.retention)


def is_unpublished(run: Run) -> bool:
    """Whether the draft is ready and is not what readers see; it may be that of a run that was killed."""
    return run.draft.stages["publish"] != run.base.stages.get("publish")


def stage_of(name: str) -> Stage:
    """The stage's declaration; its module is imported when it is needed."""
    module = "footpath.publication" if name == "publish" else f"pipelines.{name}"
    stage: Stage = importlib.import_module(module).STAGE
    return stage
