"""What published databases tell of how they were made."""

from __future__ import annotations

from pathlib import Path

import duckdb

__all__ = ["rows_that_left"]


def rows_that_left(path: Path) -> dict[str, int]:
    """Rows that left a table and still lie in the file, by table; none in a database that was built from nothing."""
    with duckdb.connect(str(path), read_only=True) as connection:
        stored = connection.sql("SELECT table_name, estimated_size FROM duckdb_tables()").fetchall()
        counted = {
            name: connection.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            for name, _ in stored
        }
    return {name: size - counted[name] for name, size in stored if size > counted[name]}
