"""Build ``footpath.duckdb``, the database analysts open, from the lake's Parquet files.

The database is written beside its place and renamed when it is whole, in a storage version that
DuckDB 1.2 and newer open. It is built from nothing, or from a copy of the version before, whose tables are then kept or
brought up to date as far as possible (`sql.revision`). Steps, in order:

1. every table of the lake becomes a view ``lake.<table>`` over its files, with the columns and
   types that `contracts.schemas` declares (`sql.lake_views`);
2. ``sql/macros/*.sql``;
3. every table of the lake: by ``sql/tables/<table>.sql`` where there is one, else as a copy, or, for
   one of `LARGE` if nothing is embedded, as a view over the lake's files by their absolute paths;
   then the other files of ``sql/tables/``, which compute from those;
4. comments on tables and columns from `contracts.schemas`;
5. ``sql/views/*.sql``, whose columns without a comment take that of the table that the view's
   header names as ``comments``, and ``sql/table_macros/*.sql``;
6. some journeys of each pain point as the table ``pain_point_journeys`` (`sql.hit_journeys`);
7. the results of `sql.check`, and of expectations, as the table ``data_quality``.

Files of ``sql/tables/`` also see ``lake.settings`` (watermark, journey_gap, stages, contacts), the slices of
journeys (`sql.strata`), and who was active when (`sql.spans`).

Times are published as ``TIMESTAMP`` in UTC, without zone: ``date_trunc('month', started_at)`` then
means the same on every analyst's machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from contracts.schemas import TABLES, Column, table_columns
from contracts.sql_text import identifier, literal
from sql.check import CheckResult, check_connection
from sql.hit_journeys import COLUMNS as HIT_JOURNEYS
from sql.hit_journeys import store_hit_journeys
from sql.lake_views import Settings, duckdb_type, open_lake, rows_of
from sql.revision import Config, Earlier, affected_customers, revise
from sql.spans import declare_spans
from sql.statements import statements
from sql.strata import declare_strata

__all__ = ["LARGE", "STORAGE_VERSION", "publish_database"]

LARGE = (
    "events",
    "touchpoints",
    "sessions",
    "identities",
    "journey_personas",
    "customer_personas",
)
"""Tables that grow with the input and are published as they lie in the lake."""

STORAGE_VERSION = "v1.2.0"
"""Oldest DuckDB that opens the database."""

_FIRST = ("journey_letters", "journey_walks")
"""Computed tables that others are computed from."""

_DATA_QUALITY = (
    Column(
        "name", pa.string(), "check, a file of sql/checks; or expectation: table, columns, type"
    ),
    Column("promise", pa.string(), "what it proves, or what is expected"),
    Column("passed", pa.bool_(), "whether no row breaks the promise"),
    Column("violations", pa.int64(), "rows that break it"),
    Column("examples", pa.string(), "the first of them in words, one a line"),
    Column("kind", pa.string(), "check, expectation or drift (of a source's fields)"),
    Column("table_name", pa.string(), "table, suite or source that it is about; of checks empty"),
    Column("severity", pa.string(), "critical: broken, it stops publication; warning: it is told"),
)


def publish_database(
    path: Path,
    files: Mapping[str, Sequence[Path]],
    *,
    watermark: datetime,
    journey_gap: timedelta,
    stages: Sequence[str],
    namespaces: Sequence[str] = (),
    attributes: Sequence[str] = (),
    embed: bool = True,
    contacts: Sequence[str] = (),
    small_groups: Mapping[str, Sequence[str]] | None = None,
    min_group: int = 0,
    threads: int | None = None,
    memory_limit: str = "1GB",
    expectations: Callable[[duckdb.DuckDBPyConnection], Sequence[CheckResult]] | None = None,
    earlier: Earlier | None = None,
) -> dict[str, int]:
    """Build a database from the files of the lake's tables; what was at `path` is replaced.

    Parameters
    ----------
    path : Path
        Where the database goes; its folder exists.
    files : mapping of str to sequence of Path
        Parquet files of each table in `contracts.schemas.TABLES`; a missing table is empty.
    watermark : datetime
        Greatest event time accepted, or the declared as-of time; aware.
    journey_gap : timedelta
        A journey without conversion that is quiet for strictly longer has lapsed.
    stages : sequence of str
        The stages in their order.
    namespaces, attributes : sequence of str
        What the configuration declares (`contracts.schemas.table_columns`).
    embed : bool
        Whether the database holds the large tables itself, or refers to the files.
    contacts : sequence of str
        Touchpoints at which people ask for help.
    small_groups : mapping of str to sequence of str, optional
        By segment the values that the graph was built with as one (`models.small_groups`).
    min_group : int
        KPIs of fewer customers are not published; 0 for all.
    threads : int, optional
        Threads DuckDB may use; default: one a core.
    memory_limit : str
        What DuckDB may hold in memory; beyond it, large operations spill beside `path`.
    expectations : callable, optional
        Given the connection once all tables are there; its results become rows of ``data_quality``, too.
    earlier : Earlier, optional
        The version before, whose database is gone on from where that spares work (`sql.revision`); only with `embed`.

    Returns
    -------
    dict of str to int
        Rows of every table of the database, and of the views that stand for one.

    Raises
    ------
    ValueError
        `watermark` is naive, or `files` names a table that is not in `TABLES`.
    """
    if watermark.tzinfo is None:
        raise ValueError(f"watermark {watermark} has no time zone; pass an aware datetime")
    if unknown := sorted(set(files) - set(TABLES)):
        raise ValueError(f"no such table: {', '.join(unknown)}; known: {', '.join(TABLES)}")
    declared = {
        name: table_columns(table, tuple(namespaces), tuple(attributes))
        for name, table in TABLES.items()
    }
    settings = Settings(watermark, journey_gap, stages, contacts, min_group)
    building = path.with_name(f".{path.name}.building")
    spill, spill_of_part = building.with_suffix(".spill"), building.with_suffix(".spill-part")
    _sweep(building, spill, spill_of_part)  # what a run left that was killed
    config: Config = {
        "autoinstall_known_extensions": False,
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "TimeZone": "UTC",
        # A checkpoint that makes row groups fuller rewrites most of the file, at a tenth of all this costs.
        "max_vacuum_tasks": 0,
    }
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(config=config)
    connection.execute("SET enable_progress_bar = false")
    try:
        open_lake(connection, declared, files, settings)
        columns = [column.name for column in declared["journeys"]]
        declare_strata(connection, columns, small_groups or {})
        declare_spans(connection)
        customers = None
        if earlier is not None:
            customers = affected_customers(connection, earlier, settings)
        if earlier is not None and customers is not None:
            shutil.copyfile(earlier.database, building)
        connection.execute(
            f"ATTACH {literal(str(building))} AS footpath (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
        connection.execute("USE footpath")
        connection.begin()  # hundreds of comments, each brought to the disk alone, would take seconds
        ready: Collection[str] = ()
        if earlier is not None and customers is not None:
            of_part = config | {"temp_directory": str(spill_of_part)}
            ready = revise(connection, declared, files, settings, earlier, customers, of_part)
        _build(connection, declared, {} if embed else files, ready)
        _open_checks(connection)
        connection.commit()
        store_hit_journeys(connection)
        about = "one row per pain point and example journey; key: rank, journey_id"
        _comment(connection, "pain_point_journeys", about, HIT_JOURNEYS)
        _store_checks(connection, check_connection(connection))
        if expectations is not None:
            _store_checks(connection, expectations(connection))
        rows = _count_rows(connection)
        connection.execute("USE memory")
        connection.execute("DETACH footpath")
        os.replace(building, path)
    finally:
        connection.close()
        _sweep(building, spill, spill_of_part)
    return rows


def _sweep(building: Path, *spilled: Path) -> None:
    """Delete an unfinished database and what belongs to it."""
    for leftover in (building, building.with_name(building.name + ".wal")):
        leftover.unlink(missing_ok=True)
    for folder in spilled:
        shutil.rmtree(folder, ignore_errors=True)


def _build(
    connection: duckdb.DuckDBPyConnection,
    declared: Mapping[str, Sequence[Column]],
    referred: Mapping[str, Sequence[Path]],
    ready: Collection[str],
) -> None:
    """Make every table that is not `ready`, and all views and macros."""
    for macro in statements("macros"):
        connection.execute(macro.text)
    written = {file.name: file.text for file in statements("tables") if file.name not in ready}
    for name, columns in declared.items():
        if name in ready:
            continue
        about = f"one row per {TABLES[name].grain}; key: {', '.join(TABLES[name].key)}"
        if name in LARGE and referred.get(name):
            rows = rows_of(columns, referred[name], in_any_zone=True)
            connection.execute(f"CREATE VIEW {identifier(name)} AS {rows}")
            _comment(connection, name, about, columns, "VIEW")
            continue
        copy = f"CREATE TABLE {identifier(name)} AS SELECT * FROM lake.{identifier(name)}"
        connection.execute(written.pop(name, copy))
        _comment(connection, name, about, columns)
    for name in sorted(written, key=lambda name: (name not in _FIRST, name)):
        connection.execute(written[name])
    for view in statements("views"):
        connection.execute(view.text)
        if table := view.said("comments"):
            _comment_alike(connection, view.name, table)
    for macro in statements("table_macros"):
        connection.execute(macro.text)


def _open_checks(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{c.name} {duckdb_type(c.type)}" for c in _DATA_QUALITY)
    connection.execute(f"CREATE TABLE data_quality ({columns})")
    about = "one row per check of the published numbers, and per expectation and column"
    _comment(connection, "data_quality", about, _DATA_QUALITY)


def _store_checks(connection: duckdb.DuckDBPyConnection, results: Sequence[CheckResult]) -> None:
    connection.begin()  # one visit to the disk, not one a row
    connection.executemany(
        f"INSERT INTO data_quality VALUES ({', '.join('?' * len(_DATA_QUALITY))})",
        [
            [
                r.name,
                r.promise,
                r.passed,
                r.violations,
                "\n".join(r.examples),
                r.kind,
                r.table,
                r.severity,
            ]
            for r in results
        ],
    )
    connection.commit()


def _comment(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    about: str,
    columns: Iterable[Column],
    kind: str = "TABLE",
) -> None:
    said = [f"COMMENT ON {kind} {identifier(table)} IS {literal(about)}"]
    for column in columns:
        target = f"{identifier(table)}.{identifier(column.name)}"
        said.append(f"COMMENT ON COLUMN {target} IS {literal(column.comment)}")
    connection.execute("; ".join(said))


def _comment_alike(connection: duckdb.DuckDBPyConnection, view: str, table: str) -> None:
    """Columns of a view that say nothing yet take the comment of the table's column of that name."""
    columns = connection.execute(
        "SELECT column_name, theirs.comment FROM duckdb_columns() AS mine "
        "JOIN duckdb_columns() AS theirs USING (database_name, column_name) "
        "WHERE database_name = 'footpath' AND mine.table_name = ? AND theirs.table_name = ? "
        "AND mine.comment IS NULL AND theirs.comment IS NOT NULL ORDER BY mine.column_index",
        [view, table],
    ).fetchall()
    said = [
        f"COMMENT ON COLUMN {identifier(view)}.{identifier(column)} IS {literal(comment)}"
        for column, comment in columns
    ]
    if said:
        connection.execute("; ".join(said))


def _count_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'footpath' UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE database_name = 'footpath' AND view_name IN $large "
        "ORDER BY 1",
        {"large": list(LARGE)},
    ).fetchall()
    return {
        name: connection.execute(f"SELECT count(*) FROM {identifier(name)}").fetchall()[0][0]
        for (name,) in tables
    }
