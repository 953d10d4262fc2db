"""DuckDB as a kernel: one private in-memory connection a thread, one thread each, nothing fetched.

Kernels run in parallel because many run at once (threads or workers), so a kernel itself must not
spread over cores. Connections are kept for the life of their thread: opening one takes 10 ms.
"""

from __future__ import annotations

import threading

import duckdb
import pyarrow as pa

__all__ = ["connection", "query"]

_LOCAL = threading.local()
_SETTINGS = {
    "threads": 1,
    "preserve_insertion_order": True,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def connection(timezone: str = "UTC") -> duckdb.DuckDBPyConnection:
    """This thread's connection, reading naive times in `timezone`."""
    con = getattr(_LOCAL, "connection", None)
    if con is None:
        con = _LOCAL.connection = duckdb.connect(config=_SETTINGS)
        con.execute("SET enable_progress_bar = false")
        _LOCAL.timezone = None
    if timezone != _LOCAL.timezone:
        con.execute("SET TimeZone = ?", [timezone])
        _LOCAL.timezone = timezone
    return con


def query(sql: str, timezone: str = "UTC", **tables: pa.Table) -> pa.Table:
    """Run `sql` over Arrow tables, each known by its keyword.

    >>> query("SELECT sum(x) AS s FROM t", t=pa.table({"x": [1, 2]}))["s"].to_pylist()
    [Decimal('3')]
    """
    con = connection(timezone)
    for name, table in tables.items():
        con.register(name, table)
    try:
        return con.sql(sql).to_arrow_table()
    finally:
        for name in tables:
            con.unregister(name)
