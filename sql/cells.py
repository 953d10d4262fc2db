"""Every value of a database that is text or a whole number, column by column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from contracts.sql_text import identifier
from sql.statements import open_database

__all__ = ["distinct_texts"]

_ROWS = 1 << 17


def distinct_texts(db_path: Path) -> Iterator[tuple[str, pa.Array]]:
    """Pairs of ``table.column`` and its distinct values as text, in pieces."""
    with open_database(db_path) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() "
            "USING (database_name, schema_name, table_name) WHERE NOT duckdb_columns.internal "
            "ORDER BY ALL"
        ).fetchall()
        for table, column in columns:
            name = identifier(column)
            sql = (
                f"SELECT DISTINCT {name}::VARCHAR FROM {identifier(table)} WHERE {name} IS NOT NULL"
            )
            for batch in connection.sql(sql).to_arrow_reader(_ROWS):
                yield f"{table}.{column}", batch.column(0)
