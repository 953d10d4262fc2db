"""The lake's files as views of one schema, with the columns and types that `contracts.schemas` declares.

Statements of `sql` find the lake's tables as ``lake.<table>``, and what they are computed with as the one row of
``lake.settings``. A table without files is empty, a column that older files lack is null; times are UTC without zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from contracts.schemas import Column
from contracts.sql_text import identifier, literal

__all__ = ["Settings", "duckdb_type", "open_lake", "rows_of"]


@dataclass(frozen=True)
class Settings:
    """What tables are computed with: the columns of ``lake.settings``."""

    watermark: datetime
    """Greatest event time accepted, or the declared as-of time; aware."""
    journey_gap: timedelta
    """A journey without conversion that is quiet for strictly longer has lapsed."""
    stages: Sequence[str]
    """In their order."""
    contacts: Sequence[str] = ()
    """Touchpoints at which people ask for help."""
    min_group: int = 0
    """KPIs of fewer customers are not published; 0 for all."""


def open_lake(
    connection: duckdb.DuckDBPyConnection,
    declared: Mapping[str, Sequence[Column]],
    files: Mapping[str, Sequence[Path]],
    settings: Settings,
    customers: pa.Table | None = None,
) -> None:
    """Attach ``lake``: a view over the files of each table, and ``lake.settings``.

    Parameters
    ----------
    connection
        Of which no database is called lake.
    declared : mapping of str to sequence of Column
        Every table that is to be there.
    files : mapping of str to sequence of Path
        Its files.
    settings : Settings
        The row of ``lake.settings``.
    customers : pa.Table, optional
        With a column `customer_id`: tables of customers have the rows of these alone.
    """
    connection.execute("ATTACH ':memory:' AS lake")
    if customers is not None:
        connection.register("given", customers)
        connection.execute("CREATE TABLE lake.chosen AS SELECT DISTINCT customer_id FROM given")
        connection.unregister("given")
    for name, columns in declared.items():
        rows = rows_of(columns, files.get(name, ()))
        if customers is not None and any(column.name == "customer_id" for column in columns):
            rows += " WHERE customer_id IN (SELECT customer_id FROM lake.chosen)"
        connection.execute(f"CREATE VIEW lake.{identifier(name)} AS {rows}")
    connection.execute(
        "CREATE TABLE lake.settings AS SELECT $watermark::TIMESTAMPTZ::TIMESTAMP AS watermark, "
        "to_microseconds($gap::BIGINT) AS journey_gap, $stages::VARCHAR[] AS stages, "
        "$contacts::VARCHAR[] AS contacts, $min_group::BIGINT AS min_group",
        {
            "watermark": settings.watermark,
            "gap": settings.journey_gap // timedelta(microseconds=1),
            "stages": list(settings.stages),
            "contacts": list(settings.contacts),
            "min_group": settings.min_group,
        },
    )


def rows_of(columns: Sequence[Column], files: Iterable[Path], *, in_any_zone: bool = False) -> str:
    """SQL for the rows of some files; it means the same from any folder and, if so wished, in any time zone."""
    empty = ", ".join(f"NULL::{duckdb_type(c.type)} AS {identifier(c.name)}" for c in columns)
    rows = f"SELECT {empty} WHERE false"
    if paths := sorted({str(path.resolve()) for path in files}):
        listed = ", ".join(map(literal, paths))
        rows += (
            f" UNION ALL BY NAME SELECT * FROM read_parquet([{listed}], "
            "union_by_name = true, hive_partitioning = false)"
        )
    # A cast takes a time into the zone of whoever reads; the other way knows no infinite times, which events never are.
    utc = "make_timestamp(epoch_us({}))" if in_any_zone else "{}::TIMESTAMP"
    typed = []
    for column in columns:
        name, kind = identifier(column.name), duckdb_type(column.type)
        value = utc.format(name) if kind == "TIMESTAMP" else f"{name}::{kind}"
        typed.append(f"{value} AS {name}")
    return f"SELECT {', '.join(typed)} FROM ({rows})"


def duckdb_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type; times are UTC and lose their zone."""
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return {
        "string": "VARCHAR",
        "bool": "BOOLEAN",
        "date32[day]": "DATE",
        "int32": "INTEGER",
        "int64": "BIGINT",
        "double": "DOUBLE",
        "map<string, int64>": "MAP(VARCHAR, BIGINT)",
    }[str(kind)]
