"""A version's database made from the one before: a copy in which only what changed is replaced.

Most of making a database is copying rows that the version before has as well, and bringing them to the disk. A copy of
its file spares that (docs/adr/0009). What becomes of its tables:

1. those of the lake whose files are the same stay;
2. rows of `events` leave with the files that are gone and come with those that are new;
3. of the tables `OF_CUSTOMERS` the rows of *affected* customers leave and come: of those whose touchpoints may be
   others, and of those of whom time alone makes something else, for the watermark left the journey gap behind;
4. all others are dropped, and made as in a database that is built from nothing.

Rows that left still lie in the file, marked as gone, until a database is built from nothing. That is done when they are
more than a quarter of what is there, or if more than a quarter of the customers is affected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from contracts.schemas import TABLES, Column
from contracts.sql_text import identifier, literal
from sql.lake_views import Settings, open_lake, rows_of
from sql.statements import statement, statements

__all__ = ["OF_CUSTOMERS", "Config", "Earlier", "affected_customers", "revise"]

Config = dict[str, str | bool | int | float | list[str]]
"""Settings of DuckDB by name."""

OF_CUSTOMERS = (
    "touchpoints",
    "sessions",
    "journeys",
    "journey_walks",
    "journey_personas",
    "customer_personas",
)
"""Tables of which a customer's rows follow from what happened to the customer, and from the watermark."""

_OF_A_FIT = ("journey_personas", "customer_personas")
"""Of these only as long as the personas are of the same fit."""

_MOST = 4
"""A database is built from nothing if one row in so many has left, or one customer in so many is affected."""


@dataclass(frozen=True)
class Earlier:
    """The version that a new one goes on from; its database is what its tables make of it today."""

    database: Path
    files: Mapping[str, Sequence[Path]]
    """Of its tables."""
    watermark: datetime
    """Not after that of the new version."""
    changed: pa.Array
    """Customers whose touchpoints may be others now, by their names then and now."""
    same_personas: bool
    """Whether customers to whom nothing happened have the personas that they had, if these are of the same fit."""


def affected_customers(
    connection: duckdb.DuckDBPyConnection, earlier: Earlier, settings: Settings
) -> pa.Table | None:
    """Customers whose rows may not be the same, in a column `customer_id`.

    Parameters
    ----------
    connection
        With the lake of the new version.
    earlier : Earlier
        What it goes on from.
    settings : Settings
        Of the new version.

    Returns
    -------
    pa.Table or None
        None if the database had better be built from nothing.
    """
    connection.register("changed", pa.table({"customer_id": earlier.changed}))
    connection.execute(f"ATTACH {literal(str(earlier.database))} AS earlier (READ_ONLY)")
    try:
        found = connection.sql(
            "SELECT customer_id FROM changed UNION "
            "SELECT customer_id FROM lake.journeys "
            "WHERE ended_at BETWEEN $before::TIMESTAMPTZ::TIMESTAMP AND $now::TIMESTAMPTZ::TIMESTAMP",
            params={
                "before": earlier.watermark - settings.journey_gap,
                "now": settings.watermark - settings.journey_gap,
            },
        ).to_arrow_table()
        ((customers,),) = connection.execute(
            "SELECT count(DISTINCT customer_id) FROM earlier.journeys"
        ).fetchall()
        if len(found) * _MOST > customers or _left(connection):
            return None
        return found
    finally:
        connection.execute("DETACH earlier")
        connection.unregister("changed")


def _left(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether many rows of the earlier database have left and still lie in its file."""
    names = ("events", *OF_CUSTOMERS)
    ((stored,),) = connection.execute(
        "SELECT sum(estimated_size) FROM duckdb_tables() WHERE database_name = 'earlier' AND table_name IN $names",
        {"names": list(names)},
    ).fetchall()
    counts = " + ".join(f"(SELECT count(*) FROM earlier.{name})" for name in names)
    ((rows,),) = connection.execute(f"SELECT {counts}").fetchall()
    return bool((stored - rows) * _MOST > stored)


def revise(
    connection: duckdb.DuckDBPyConnection,
    declared: Mapping[str, Sequence[Column]],
    files: Mapping[str, Sequence[Path]],
    settings: Settings,
    earlier: Earlier,
    customers: pa.Table,
    config: Config,
) -> set[str]:
    """Bring a copy of the earlier database as far as it can be brought by replacing rows; drop all else.

    Parameters
    ----------
    connection
        With the copy, attached as ``footpath``, as its current database.
    declared, files, settings
        Of the new version.
    earlier : Earlier
        What was copied.
    customers : pa.Table
        The affected ones (`affected_customers`).
    config : dict
        DuckDB's settings for a database in memory, in which the rows of these are made.

    Returns
    -------
    set of str
        The tables that are as they are to be.
    """
    ready = {name for name in declared if _paths(files, name) == _paths(earlier.files, name)}
    replaced = [*OF_CUSTOMERS]
    if not (earlier.same_personas and _is_same_fit(connection)):
        replaced = [name for name in replaced if name not in _OF_A_FIT]
    _drop_words(connection)
    if "events" not in ready:
        _replace_files(connection, "events", declared["events"], files, earlier.files)
    with duckdb.connect(config=config) as part:
        wanted = {name: declared[name] for name in OF_CUSTOMERS if name in declared}
        open_lake(part, wanted, files, settings, customers)
        connection.register("affected", customers)
        for name in replaced:
            if name == "journey_walks" and not _are_letters_same(connection, part):
                continue
            _replace_customers(connection, part, name)
            ready.add(name)
        connection.unregister("affected")
    ready |= {"events", "journey_letters"}
    _drop_tables(connection, ready)
    return ready


def _paths(files: Mapping[str, Sequence[Path]], name: str) -> set[Path]:
    return set(files.get(name, ()))


def _is_same_fit(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether personas are those of the fit that the earlier version had."""
    fits = [
        connection.execute(f"SELECT fit_id FROM {models} WHERE model IS NOT NULL").fetchall()
        for models in ("persona_models", "lake.persona_models")
    ]
    return fits[0] == fits[1]


def _replace_files(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Sequence[Column],
    files: Mapping[str, Sequence[Path]],
    before: Mapping[str, Sequence[Path]],
) -> None:
    """Rows of files that are gone leave, by their key, and those of new files come."""
    was, now = _paths(before, name), _paths(files, name)
    if gone := was - now:
        key = ", ".join(TABLES[name].key)
        rows = rows_of(columns, gone)
        connection.execute(f"DELETE FROM {name} WHERE ({key}) IN (SELECT ({key}) FROM ({rows}))")
    if come := now - was:
        connection.execute(f"INSERT INTO {name} {rows_of(columns, come)}")


def _replace_customers(
    connection: duckdb.DuckDBPyConnection, part: duckdb.DuckDBPyConnection, name: str
) -> None:
    """Rows of affected customers leave a table, and those that its statement makes of them now come."""
    written = {file.name: file.text for file in statements("tables")}
    copy = f"CREATE TABLE {identifier(name)} AS SELECT * FROM lake.{identifier(name)}"
    part.execute(written.get(name, copy))
    connection.register("come", part.table(name).to_arrow_table())
    connection.execute(
        f"DELETE FROM {identifier(name)} WHERE customer_id IN (SELECT customer_id FROM affected)"
    )
    connection.execute(f"INSERT INTO {identifier(name)} SELECT * FROM come")
    connection.unregister("come")


def _are_letters_same(
    connection: duckdb.DuckDBPyConnection, part: duckdb.DuckDBPyConnection
) -> bool:
    """Make the letters of touchpoints anew, also for the part; whether all are what they were."""
    asked = "SELECT touchpoint, letter FROM journey_letters ORDER BY ALL"
    was = connection.sql(asked).to_arrow_table()
    connection.execute("DROP TABLE journey_letters")
    connection.execute(statement("tables", "journey_letters").text)
    now = connection.sql(asked).to_arrow_table()
    part.register("journey_letters", now)
    return bool(was.equals(now))


def _drop_words(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop views and macros: they are made when all tables are there."""
    words = connection.execute(
        "SELECT 'VIEW', view_name FROM duckdb_views() WHERE database_name = 'footpath' AND NOT internal "
        "UNION SELECT CASE function_type WHEN 'macro' THEN 'MACRO' ELSE 'MACRO TABLE' END, function_name "
        "FROM duckdb_functions() WHERE database_name = 'footpath' AND NOT internal"
    ).fetchall()
    _drop(connection, words)


def _drop_tables(connection: duckdb.DuckDBPyConnection, but: Collection[str]) -> None:
    """Drop all tables but some."""
    tables = connection.execute(
        "SELECT 'TABLE', table_name FROM duckdb_tables() WHERE database_name = 'footpath'"
    ).fetchall()
    _drop(connection, [(kind, name) for kind, name in tables if name not in but])


def _drop(connection: duckdb.DuckDBPyConnection, things: Sequence[tuple[str, str]]) -> None:
    if things:
        said = (f"DROP {kind} {identifier(name)}" for kind, name in things)
        connection.execute("; ".join(said))
