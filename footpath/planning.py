"""``footpath run --explain``: what a run would do, and why, without doing it.

A stage runs if its fingerprint is not the recorded one (docs/adr/0003). That is known now for ingest and for every
stage up to the first that runs; a stage after it that reads what it writes *follows*: it runs if that changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from apache_beam.options.pipeline_options import StandardOptions

from footpath.running import STAGES, is_unpublished, stage_of
from pipelines.ingest import IngestPlan, buckets_of_keys
from pipelines.job import Run, Stage
from pipelines.sessionize import buckets_of_customers
from transforms.plan_files import list_files, slices_expected

__all__ = ["WRITERS", "StagePlan", "explain", "told"]

WRITERS = {
    "events": "ingest",
    "link_customers": "resolve",
    "link_accounts": "resolve",
    "shared_links": "resolve",
    "identities": "resolve",
    "touchpoints": "sessionize",
    "sessions": "sessionize",
    "journeys": "journeys",
    "stages": "graph",
    "transitions": "graph",
}
"""The stage that writes each table that another stage declares to read."""


@dataclass(frozen=True)
class StagePlan:
    """What a run would do with a stage, why, and what is to be known of its work."""

    stage: str
    action: Literal["runs", "follows", "skipped"]
    why: str
    details: tuple[str, ...] = ()


def explain(run: Run) -> Iterator[StagePlan]:
    """The plan of every stage, in order; reads listings and manifests, writes nothing.

    Raises
    ------
    InputError
        If a source's paths match nothing, or files that must be read anew are gone.
    """
    running: set[str] = set()
    for name in STAGES:
        plan = _plan(run, stage_of(name), running)
        if plan.action != "skipped":
            running.add(name)
        yield plan


def _plan(run: Run, stage: Stage, running: set[str]) -> StagePlan:
    if stage.name == "ingest":
        return _ingest(run, stage)
    if stage.name == "publish" and running:
        return StagePlan(stage.name, "follows", "it publishes every table")
    changing = [table for table in stage.reads if WRITERS[table] in running]
    details = _customers(run) if stage.name == "sessionize" else ()
    known = run.draft.stages.get(stage.name)
    if changing:
        return StagePlan(stage.name, "follows", f"reads {', '.join(changing)}", details)
    if known is None:
        return StagePlan(stage.name, "runs", "it never ran here", details)
    if stage.is_needed(run, stage.fingerprint(run)):
        why = "what it reads has changed since it ran, or its part of the configuration"
        return StagePlan(stage.name, "runs", why, details)
    if stage.name == "publish" and is_unpublished(run):
        return StagePlan(stage.name, "runs", "the next version is built and not yet switched to")
    return StagePlan(stage.name, "skipped", "nothing that it depends on has changed")


def _ingest(run: Run, stage: Stage) -> StagePlan:
    listed = list_files(run.config)
    if not stage.is_needed(run, stage.fingerprint(run)):
        return StagePlan(stage.name, "skipped", f"{len(listed)} files, all known")
    plan = IngestPlan(run)
    slices = sum(slices_expected(file, run.config) for file in plan.files)
    size = sum(file.bytes for file in plan.files)
    why = f"{len(plan.files)} of {len(listed)} files are to be read: {_size(size)}"
    buckets = f"about {slices} slices; {buckets_of_keys(run)} buckets of the index of copies"
    details = [buckets]
    listed_of, new_of = (Counter(file.source for file in files) for files in (listed, plan.files))
    for source in run.config.sources:
        reason = ""
        if run.base.version and source not in plan.kept:
            reason = ", all anew: its declaration changed, it is new, or all is to be refreshed"
        elif plan.withdrawn is not None and source == plan.withdrawn.source:
            reason = (
                f", {len(plan.withdrawn.file_ids)} of them again: they hold what the order names"
            )
        details.append(f"{source}: {new_of[source]} of {listed_of[source]} files{reason}")
    if not plan.files:
        why += "; the listing changed (files gone, or another as_of), or held records are due"
    return StagePlan(stage.name, "runs", why, tuple(details))


def _customers(run: Run) -> tuple[str, ...]:
    if "events" not in run.draft.tables:
        return ()
    return (f"{buckets_of_customers(run)} buckets of customers, by the events known now",)


def _size(size: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if size < 1_000:
            return f"{size:.3g} {unit}"
        size /= 1_000
    return f"{size:,.1f} GB"


def told(run: Run, plans: list[StagePlan]) -> Iterator[str]:
    """The plan as lines to print."""
    version = run.base.version
    yield f"{run.lake.root}: " + (
        f"version {version} is published" if version else "nothing published"
    )
    runner = run.options.view_as(StandardOptions).runner
    yield f"{runner}, {run.kernel_threads} kernels at once in a process"
    for plan in plans:
        yield f"{plan.stage:<12}{plan.action:<9}{plan.why}"
        yield from (f"{'':<21}{detail}" for detail in plan.details)
