"""What schedulers and monitors read of a run: ``run.json`` and ``metrics.prom`` in the warehouse.

``run.json`` holds the last thing that each stage did, whether the stages ran together or as a task each.
``metrics.prom`` says the same in the OpenMetrics text format [1]_, which Prometheus and its node exporter's textfile
collector read. Both are replaced as a whole whenever footpath ends, well or not; the published table
`runs` keeps the history.

References
----------
.. [1] https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.errors import FootpathError
from contracts.lake import Lake, write_atomically

if TYPE_CHECKING:
    from pipelines.job import Run

__all__ = ["METRICS", "SUMMARY", "last_summary", "observe", "open_metrics", "summary", "told"]

SUMMARY = "run.json"
METRICS = "metrics.prom"


def observe(run: Run, error: BaseException | None = None) -> None:
    """Write both files for a run that has ended, with the error that ended it if there was one."""
    summarised = summary(run, error)
    write_atomically(run.lake.root / SUMMARY, json.dumps(summarised, indent=1) + "\n")
    write_atomically(run.lake.root / METRICS, open_metrics(summarised))


def summary(run: Run, error: BaseException | None = None) -> dict[str, Any]:
    """What the run did, what is published now, and what other stages did last."""
    published = run.lake.published()
    this_run = {entry["stage"]: entry for entry in run.log}
    return {
        "run_id": run.run_id,
        "ended_at": datetime.now(UTC).isoformat(),
        "status": "failed" if error else "done",
        "exit_code": _exit_code(error),
        "error": next((e["error"] for e in run.log if "error" in e), None),
        "ran": list(this_run),
        "published": published.version != run.base.version,
        "version": published.version,
        "watermark": run.watermark.isoformat(),
        "tables": published.stages["publish"].facts["tables"] if published.version else {},
        "stages": {**last_summary(run.lake).get("stages", {}), **this_run},
    }


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    return error.exit_code if isinstance(error, FootpathError) else 1


def last_summary(lake: Lake) -> dict[str, Any]:
    """The summary that the last run left; empty before the first."""
    try:
        found: dict[str, Any] = json.loads((lake.root / SUMMARY).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def told(summary: dict[str, Any]) -> Iterator[str]:
    """A summary as lines to print."""
    for name, rows in sorted(summary.get("tables", {}).items()):
        yield f"  {name:<24}{rows:>14,} rows"
    for name, entry in summary.get("stages", {}).items():
        did = f"failed: {entry['error']}" if "error" in entry else f"{entry['rows']:,} rows"
        if entry["skipped"]:
            did = "nothing new"
        yield (
            f"{name:<12}{entry['started_at'][:19]}{entry['duration_s']:>9.1f} s"
            f"{entry['peak_memory_mb']:>8,.0f} MB  {did}"
        )


@dataclass(frozen=True)
class _Family:
    """A gauge: name, unit (the name ends with it), help, and what of a stage it tells."""

    name: str
    unit: str
    help: str
    value: Callable[[dict[str, Any]], float]


_OF_STAGES = (
    _Family(
        "footpath_stage_start_timestamp_seconds", "seconds", "When the stage last started.",
        lambda entry: datetime.fromisoformat(entry["started_at"]).timestamp(),
    ),
    _Family(
        "footpath_stage_duration_seconds", "seconds", "Wall time of its last start.",
        lambda entry: entry["duration_s"],
    ),
    _Family(
        "footpath_stage_peak_memory_bytes", "bytes", "Peak memory of all its processes.",
        lambda entry: round(entry["peak_memory_mb"] * (1 << 20)),
    ),
    _Family(
        "footpath_stage_written_bytes", "bytes", "Size of the files it wrote.",
        lambda entry: entry["bytes"],
    ),
    _Family(
        "footpath_stage_rows", "", "Rows of its tables; 0 if nothing was new.",
        lambda entry: entry["rows"],
    ),
    _Family(
        "footpath_stage_skipped", "", "1 if nothing had changed.",
        lambda entry: int(entry["skipped"]),
    ),
    _Family(
        "footpath_stage_failed", "", "1 if it failed.",
        lambda entry: int("error" in entry),
    ),
)  # fmt: skip


def open_metrics(summary: dict[str, Any]) -> str:
    """A summary in the OpenMetrics text format, version 1.0.0."""
    stages = summary["stages"]
    lines: list[str] = []
    for family in _OF_STAGES:
        samples = ((f'{{stage="{name}"}}', family.value(stages[name])) for name in stages)
        lines += _family(family.name, family.unit, family.help, samples)
    counters = (
        (f'{{stage="{stage}",counter="{_escaped(name)}"}}', value)
        for stage, entry in stages.items()
        for name, value in entry["counters"].items()
    )
    lines += _family("footpath_stage_counter", "", "Counters of its last Beam job.", counters)
    tables = ((f'{{table="{name}"}}', rows) for name, rows in summary["tables"].items())
    lines += _family("footpath_table_rows", "", "Rows of a published table.", tables)
    single = {
        "footpath_published_version": ("", "Number of the published version.", summary["version"]),
        "footpath_watermark_timestamp_seconds": (
            "seconds",
            "Greatest event time accepted, or the declared present.",
            datetime.fromisoformat(summary["watermark"]).timestamp(),
        ),
        "footpath_run_end_timestamp_seconds": (
            "seconds",
            "When footpath last ended.",
            datetime.fromisoformat(summary["ended_at"]).timestamp(),
        ),
        "footpath_run_exit_code": ("", "With which exit code it ended.", summary["exit_code"]),
    }
    for name, (unit, text, value) in single.items():
        lines += _family(name, unit, text, [("", value)])
    return "\n".join([*lines, "# EOF", ""])


def _family(name: str, unit: str, text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {text}"
    for labels, value in samples:
        yield f"{name}{labels} {value}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
