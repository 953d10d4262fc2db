"""Publication: the draft's tables become a database and a report, checked, and then the current version."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import CheckFailed
from contracts.expectations import suites_with
from contracts.lake import DataFile, Lake, Manifest, digest_of
from contracts.schemas import TABLES, table_schema
from contracts.sql_text import identifier
from models.hexadecimal import hex_text
from pipelines.increments import changed_customers, goes_on_from_base, published
from pipelines.job import Run, Stage
from pipelines.personas import STAGE as PERSONAS
from sql.statements import statements

if TYPE_CHECKING:
    import duckdb

    from sql.check import CheckResult
    from sql.revision import Earlier

__all__ = ["DATABASE", "GRAPHS", "REPORT", "STAGE", "results"]

DATABASE = "footpath.duckdb"
REPORT = Path("report", "index.html")
DICTIONARY = Path("dictionary")
GRAPHS = Path("graph")

_LOG = logging.getLogger("footpath")
_SQL = ("macros", "tables", "views", "table_macros", "checks", "report", "changes")
"""Folders of `sql` that a publication is made of; a change in them calls for a new one."""


def _fingerprint(run: Run) -> str:
    tables = [name for name in TABLES if name != "runs"]  # which every publication adds to
    config = run.config
    referred = None if config.publish.embed else str(run.lake.root.resolve())
    least = config.privacy.min_group
    families = (config.namespaces, config.attributes)  # of columns
    meanings = (config.stages, config.journey.gap, config.contacts)
    declared = (config.project, families, meanings, referred, least)
    suites = {name: suite.model_dump() for name, suite in suites_with(config.expectations).items()}
    written = [(file.name, file.text) for folder in _SQL for file in statements(folder)]
    erased = _erased(run.draft)
    names = run.draft.names(*tables)
    return digest_of("publish", 3, names, run.watermark, declared, written, suites, erased)


def _execute(run: Run) -> dict[str, Any]:
    from footpath.data_docs import DATA_DOCS
    from footpath.dictionary import write_dictionary
    from footpath.drifting import drift_results
    from footpath.expecting import import_library, validate
    from footpath.report import build_report
    from sql.publish import publish_database

    # The import takes seconds, during which DuckDB does not need the interpreter.
    importing = threading.Thread(target=import_library, daemon=True)
    importing.start()
    run.draft.tables["runs"] = [_write_runs(run)]
    files: Mapping[str, list[Path]] = {
        name: run.lake.paths(run.draft, name) for name in TABLES if name in run.draft.tables
    }
    run.lake.draft_folder.mkdir(parents=True, exist_ok=True)
    database = run.lake.draft_folder / DATABASE
    docs = run.lake.draft_folder / DATA_DOCS
    shutil.rmtree(docs, ignore_errors=True)  # of an attempt that was not published

    def expected(connection: duckdb.DuckDBPyConnection) -> list[CheckResult]:
        importing.join()
        _tell_growth(connection, run.base)
        expected = validate(connection, suites_with(run.config.expectations), docs, run.run_id)
        return [*drift_results(run.draft), *expected]

    rows = publish_database(
        database,
        files,
        watermark=run.watermark,
        journey_gap=run.config.journey.gap,
        stages=run.config.stages,
        namespaces=run.config.namespaces,
        attributes=run.config.attributes,
        small_groups=run.draft.stages["graph"].facts.get("folded"),
        min_group=run.config.privacy.min_group,
        contacts=run.config.contacts,
        embed=run.config.publish.embed,
        expectations=expected,
        earlier=_earlier(run),
    )
    _refuse_broken(database, docs)
    write_dictionary(database, run.lake.draft_folder / DICTIONARY, run.config.project)
    before = run.lake.current / DATABASE
    # A version that is to be dropped, for it holds the erased, is not compared with.
    compared = before.exists() and _erased(run.lake.published()) == _erased(run.draft)
    build_report(
        database,
        run.lake.draft_folder / REPORT,
        run.config.project,
        before if compared else None,
    )
    _write_graphs(run)
    return {
        "rows": sum(rows.values()),
        "tables": rows,
        "bytes": database.stat().st_size,
        "modified_ns": database.stat().st_mtime_ns,
    }


def _earlier(run: Run) -> Earlier | None:
    """The published version, if its database is what its tables would become today, and may be gone on from."""
    from sql.revision import Earlier

    before, changed = published(run), changed_customers(run)
    if changed is None or not run.config.publish.embed or not goes_on_from_base(run, STAGE):
        return None
    if before.watermark > run.watermark or _may_hide(run):
        return None
    database = (run.lake.current / DATABASE).resolve()
    facts = run.base.stages["publish"].facts
    with contextlib.suppress(FileNotFoundError):
        found = database.stat()
        if (found.st_size, found.st_mtime_ns) == (facts["bytes"], facts.get("modified_ns")):
            files = {name: run.lake.paths(run.base, name) for name in TABLES}
            same_personas = goes_on_from_base(run, PERSONAS)
            return Earlier(database, files, before.watermark, hex_text(changed), same_personas)
    return None


def _may_hide(run: Run) -> bool:
    """Whether rows may have left for nobody to find them: a declaration was mended, consent withdrawn entirely.

    Rows that leave a copied database can be found in its bytes for some time.
    """
    declared = [
        manifest.stages["ingest"].facts.get("contracts") for manifest in (run.base, run.draft)
    ]
    said = [manifest.names("consents") for manifest in (run.base, run.draft)]
    entirely = run.config.privacy.withdrawal == "entirely"
    return declared[0] != declared[1] or (entirely and said[0] != said[1])


def _erased(manifest: Manifest) -> str | None:
    """With which tombstones it was made (`footpath.erasing`)."""
    return manifest.stages["erase"].fingerprint if "erase" in manifest.stages else None


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


def _tell_growth(connection: duckdb.DuckDBPyConnection, base: Manifest) -> None:
    """``lake.growth``: rows of every table of the lake in the version before and in this one."""
    before = base.stages["publish"].facts["tables"] if "publish" in base.stages else {}
    connection.execute(
        "CREATE TABLE lake.growth (table_name VARCHAR, rows_before BIGINT, rows_now BIGINT)"
    )
    for name in TABLES:
        connection.execute(
            f"INSERT INTO lake.growth SELECT ?, ?, count(*) FROM {identifier(name)}",
            [name, before.get(name)],
        )


def _refuse_broken(database: Path, docs: Path) -> None:
    """Stop before readers see numbers that do not reconcile or break a critical expectation; tell warnings.

    Raises
    ------
    CheckFailed
        With every check and critical expectation that failed.
    """
    from footpath.drifting import KIND
    from sql.check import stored_checks

    failed = [check for check in stored_checks(database) if not check.passed]
    for warning in failed:
        if not warning.refuses and warning.kind != KIND:  # which ingest has told
            _LOG.warning(str(warning))
    if refused := [check for check in failed if check.refuses]:
        raise CheckFailed(
            "nothing was published, for the numbers break what must be true of them:\n"
            + "\n".join(str(check) for check in refused)
            + f"\nEvery expectation is shown in {docs / 'index.html'}"
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
