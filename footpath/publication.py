"""Publication: the draft's tables become a database and a report, checked, and then the current version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import CheckFailed
from contracts.lake import DataFile, Lake, digest_of
from contracts.schemas import TABLES, table_schema
from pipelines.job import Run, Stage
from sql.statements import statements

__all__ = ["DATABASE", "GRAPHS", "REPORT", "STAGE", "results"]

DATABASE = "footpath.duckdb"
REPORT = Path("report", "index.html")
GRAPHS = Path("graph")


_SQL = ("macros", "tables", "views", "checks", "report")
"""Folders of `sql` that a publication is made of; a change in them calls for a new one."""


def _fingerprint(run: Run) -> str:
    tables = [name for name in TABLES if name != "runs"]  # which every publication adds to
    config = run.config
    referred = None if config.publish.embed else str(run.lake.root.resolve())
    declared = (config.project, config.stages, config.journey.gap, referred)
    written = [(file.name, file.text) for folder in _SQL for file in statements(folder)]
    erased = run.draft.stages["erase"].fingerprint if "erase" in run.draft.stages else None
    names = run.draft.names(*tables)
    return digest_of("publish", 2, names, run.watermark, declared, written, erased)


def _execute(run: Run) -> dict[str, Any]:
    from footpath.report import build_report
    from sql.publish import publish_database

    run.draft.tables["runs"] = [_write_runs(run)]
    files: Mapping[str, list[Path]] = {
        name: run.lake.paths(run.draft, name) for name in TABLES if name in run.draft.tables
    }
    run.lake.draft_folder.mkdir(parents=True, exist_ok=True)
    database = run.lake.draft_folder / DATABASE
    rows = publish_database(
        database,
        files,
        watermark=run.watermark,
        journey_gap=run.config.journey.gap,
        stages=run.config.stages,
        namespaces=run.config.namespaces,
        attributes=run.config.attributes,
        embed=run.config.publish.embed,
    )
    _refuse_broken(database)
    build_report(database, run.lake.draft_folder / REPORT, run.config.project)
    _write_graphs(run)
    return {"rows": sum(rows.values()), "tables": rows, "bytes": database.stat().st_size}


def _write_graphs(run: Run) -> None:
    """The graph of all journeys at every level as GraphML, for Gephi, yEd, igraph and networkx."""
    from models.graph import to_graph, to_graphml  # slow to import, and most runs publish nothing

    stages, transitions = (
        pa.concat_tables([pq.read_table(path) for path in run.lake.paths(run.draft, name)])
        for name in ("stages", "transitions")
    )
    folder = run.lake.draft_folder / GRAPHS
    folder.mkdir(exist_ok=True)
    for level in sorted(set(stages["level"].to_pylist())):
        text = to_graphml(to_graph(stages, transitions, level))
        (folder / f"{level}.graphml").write_text(text, encoding="utf-8")


def _refuse_broken(database: Path) -> None:
    """Stop before readers see numbers that do not reconcile.

    Raises
    ------
    CheckFailed
        With every check that failed.
    """
    from sql.check import stored_checks

    failed = [check for check in stored_checks(database) if not check.passed]
    if failed:
        raise CheckFailed(
            "the numbers do not reconcile, nothing was published:\n"
            + "\n".join(str(check) for check in failed)
        )


def _write_runs(run: Run) -> DataFile:
    """What earlier runs and this one did, stage by stage.

    The log that waits in the draft has every stage since the last `runs`, in whatever run, and its publication.
    """
    schema = table_schema("runs")
    earlier = [pq.read_table(path, schema=schema) for path in run.lake.paths(run.base, "runs")]
    rows = [
        {**entry, "started_at": datetime.fromisoformat(entry["started_at"])}
        for entry in run.draft.facts.pop("log", [])
    ]
    table = pa.concat_tables([*earlier, pa.Table.from_pylist(rows, schema=schema)])
    path = f"tables/runs/{run.run_id}.parquet"
    (run.lake.root / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, run.lake.root / path)
    return DataFile(path, len(table))


def results(lake: Lake, findings: int = 3) -> list[str]:
    """Where the published database and map are, and what they say first; lines to print."""
    from footpath.report import top_findings

    database = lake.current / DATABASE
    found = top_findings(database, findings)
    return [
        f"database  {database}",
        f"map       {lake.current / REPORT}",
        "",
        "The most useful findings:" if found else "No findings.",
        *(f"{number}. {finding}" for number, finding in enumerate(found, start=1)),
    ]


STAGE = Stage(
    "publish",
    ("events", "identities", "touchpoints", "sessions", "journeys", "stages", "transitions"),
    _fingerprint,
    _execute,
)
