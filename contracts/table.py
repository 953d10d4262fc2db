"""What a table and a column are: grain, key, types, meanings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

__all__ = ["MONEY", "TEXT", "TIME", "Column", "Table", "table_columns"]

Family = Literal["identifiers", "attributes"]

TIME = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(18, 4)
TEXT = pa.string()


@dataclass(frozen=True)
class Column:
    """A column: name, Arrow type, meaning with unit; provenance is left out of the digest."""

    name: str
    type: pa.DataType
    comment: str
    provenance: bool = False


@dataclass(frozen=True)
class Table:
    """A table: one row per `grain`, unique by `key`."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    families: tuple[Family, ...] = ()
    bookkeeping: bool = field(default=False)
    """True where rows tell of runs, not of customers; such a table is left out of the digest."""


def _identifier_column(namespace: str) -> Column:
    return Column(f"id_{namespace}", TEXT, f"identifier in namespace {namespace}, normalised")


def _attribute_column(name: str) -> Column:
    return Column(name, TEXT, f"attribute {name}, as the source gave it")


def table_columns(
    table: Table, namespaces: tuple[str, ...] = (), attributes: tuple[str, ...] = ()
) -> tuple[Column, ...]:
    """All columns of a table for the namespaces and attributes that a configuration declares."""
    columns = table.columns
    if "identifiers" in table.families:
        columns += tuple(_identifier_column(name) for name in namespaces)
    if "attributes" in table.families:
        columns += tuple(_attribute_column(name) for name in attributes)
    return columns
