"""The tables of the lake: grain, key, and the meaning of every column.

This is the one source for Arrow schemas, for the comments in ``footpath.duckdb``, for the data
dictionary and for `footpath digest`. A table's columns are fixed but for two declared families, which
the configuration names: ``id_<namespace>`` (identifiers) and attributes (device, campaign ...).
"""

from __future__ import annotations

import pyarrow as pa

from contracts.journey_tables import JOURNEY_TABLES
from contracts.persona_tables import PERSONA_TABLES
from contracts.record_tables import RECORD_TABLES
from contracts.table import Column, Table, table_columns

__all__ = ["TABLES", "Column", "Table", "table_columns", "table_schema"]

TABLES: dict[str, Table] = {
    table.name: table for table in (*RECORD_TABLES, *JOURNEY_TABLES, *PERSONA_TABLES)
}
"""Every table of the lake, by name."""


def table_schema(
    name: str, namespaces: tuple[str, ...] = (), attributes: tuple[str, ...] = ()
) -> pa.Schema:
    """The Arrow schema of a table.

    >>> table_schema("sessions").field("session_duration_s").type
    DataType(double)
    """
    columns = table_columns(TABLES[name], namespaces, attributes)
    return pa.schema([pa.field(column.name, column.type) for column in columns])
