"""Projects and runs for tests of the jobs: ingest, resolve, sessionize, journeys, in memory."""

from __future__ import annotations

import contextlib
import importlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from contracts.config import Config
from contracts.lake import DataFile
from contracts.loading import load_config
from contracts.schemas import TABLES
from pipelines.job import Run, run_stage
from sql.check import CheckResult

__all__ = [
    "PRESETS", "STAGES", "add_files", "configure", "difference", "expectations_not_asked", "ingest", "ledger_sums",
    "publish", "raw_files", "rows", "stage", "start", "table",
]  # fmt: skip

STAGES = ("ingest", "resolve", "sessionize", "journeys")
PRESETS = {"web": "segment", "email": "sendgrid", "store": "shopify", "support": "zendesk"}
_COMPARED = (
    "events", "dead_letters", "quarantine", "identities", "identity_intervals", "identity_refusals", "touchpoints",
    "sessions", "journeys", "touchpoint_accounting", "unmatched_events",
)  # fmt: skip


def configure(folder: Path, **changes: Any) -> Config:
    """A project in `folder` that reads ``data/<source>/`` there; `changes` replace whole
    sections.
    """
    document: dict[str, Any] = {
        "project": "Test",
        "warehouse": "warehouse",
        "as_of": "2026-02-01T00:00:00Z",
        "sources": {
            name: {"preset": preset, "paths": f"data/{name}/*"} for name, preset in PRESETS.items()
        },
    }
    path = folder / "footpath.yml"
    path.write_text(yaml.safe_dump(document | changes), encoding="utf-8")
    return load_config(path)


def raw_files(retailer: Path) -> list[Path]:
    """All raw files of the generated retailer, in order."""
    return sorted(path for name in PRESETS for path in (retailer / name).iterdir())


def add_files(folder: Path, files: Iterable[Path], rename: str = "") -> None:
    """Deliver raw files into a project."""
    for file in files:
        target = folder / "data" / file.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / (rename + file.name))


def stage(name: str) -> Any:
    """The declaration of a stage."""
    return importlib.import_module(f"pipelines.{name}").STAGE


def start(config: Config, beam: Sequence[str] = (), stages: Sequence[str] = STAGES) -> Run:
    """Run stages; the draft holds the outcome."""
    run = Run.begin(config, beam)
    for name in stages:
        run_stage(run, stage(name))
    return run


def ingest(config: Config) -> Run:
    """Publish what ingest alone writes, where a test looks at nothing that follows from it."""
    return publish(config, stages=STAGES[:1])


def publish(config: Config, beam: Sequence[str] = (), stages: Sequence[str] = STAGES) -> Run:
    """Run stages and make the draft the current version (without database and report)."""
    run = start(config, beam, stages)
    run.lake.publish(run.draft)
    return run


@contextlib.contextmanager
def expectations_not_asked() -> Iterator[None]:
    """Publications do without Great Expectations, which takes longer than all else that a small run does.

    It reads the tables and leaves nothing for later runs, so tests that are not about expectations miss nothing.
    """
    answer = [CheckResult("expectations", "not asked in this test", kind="expectation")]
    with (
        mock.patch("footpath.expecting.validate", lambda *_: answer),
        mock.patch("footpath.expecting.import_library"),
    ):
        yield


def table(run: Run, name: str) -> pa.Table:
    """A table of the draft, in no particular order."""
    files: list[DataFile] = run.draft.tables.get(name, [])
    tables = [pq.read_table(run.lake.path(f), partitioning=None) for f in files]
    whole = (
        pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({"none": []})
    )
    return whole.drop_columns([n for n in ("link",) if n in whole.column_names])


def rows(run: Run, name: str) -> list[tuple[Any, ...]]:
    """Rows of a table without provenance, sorted; the header comes first."""
    columns = {c.name for c in TABLES[name].columns if c.provenance}
    whole = table(run, name)
    whole = whole.drop_columns([c for c in whole.column_names if c in columns])
    if not len(whole):
        return []
    with duckdb.connect() as con:
        con.register("whole", whole)
        # Times as numbers: Python's dates cannot hold what quarantine may hold.
        texts = ", ".join(
            f'epoch_us("{f.name}")' if pa.types.is_timestamp(f.type) else f'"{f.name}"'
            for f in whole.schema
        )
        found = con.sql(f"SELECT {texts} FROM whole ORDER BY ALL").fetchall()
    return [tuple(whole.column_names), *found]


def difference(one: Run, other: Run) -> dict[str, Any]:
    """Tables in which two runs differ, with a few of the rows that only one of them has."""
    found = {}
    for name in _COMPARED:
        mine, theirs = rows(one, name), rows(other, name)
        if mine != theirs:
            only = [
                sorted(set(a) - set(b), key=str)[:2] for a, b in ((mine, theirs), (theirs, mine))
            ]
            found[name] = (len(mine), len(theirs), *only)
    return found


def ledger_sums(run: Run) -> dict[str, int]:
    """Sums over the ledger; also proves that every file's records are all accounted for."""
    ledger = table(run, "ingest_ledger").to_pylist()
    counted = ("events", "duplicates", "dead_letters", "quarantined", "withheld", "erased")
    for row in ledger:
        assert row["records_read"] == sum(row[name] for name in counted), row
        assert min(row[name] for name in counted) >= 0, row
    return {name: sum(row[name] for row in ledger) for name in ("records_read", *counted)}
