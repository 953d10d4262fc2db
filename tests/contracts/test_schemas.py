"""Every table states its grain, its key and the meaning of every column."""

from __future__ import annotations

import pyarrow as pa
import pytest

from contracts.schemas import TABLES, table_columns, table_schema

NAMESPACES = ("user_id", "email")
ATTRIBUTES = ("campaign", "device")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_described_whole(name: str) -> None:
    table = TABLES[name]
    columns = table_columns(table, NAMESPACES, ATTRIBUTES)
    names = [column.name for column in columns]
    assert table.name == name
    assert table.grain
    assert len(names) == len(set(names)), "a column is declared twice"
    assert set(table.key) <= set(names), "the key names a column that the table lacks"
    assert all(column.comment.strip() for column in columns)
    assert table_schema(name, NAMESPACES, ATTRIBUTES).names == names


def test_identifiers_and_attributes_become_columns_where_a_table_has_them() -> None:
    events = table_schema("events", NAMESPACES, ATTRIBUTES)
    assert {"id_user_id", "id_email", "campaign", "device"} <= set(events.names)
    touchpoints = table_schema("touchpoints", NAMESPACES, ATTRIBUTES)
    assert "device" in touchpoints.names
    assert "id_email" not in touchpoints.names
    assert table_schema("stages", NAMESPACES, ATTRIBUTES) == table_schema("stages")


@pytest.mark.parametrize("name", TABLES)
def test_types_carry_their_unit(name: str) -> None:
    for field in table_schema(name, NAMESPACES, ATTRIBUTES):
        if field.name.endswith("_at") or field.name.endswith("_time"):
            assert field.type == pa.timestamp("us", tz="UTC"), field.name
        if field.name.endswith("_s"):
            assert field.type == pa.float64(), field.name
        if pa.types.is_timestamp(field.type):
            assert field.type.tz == "UTC", field.name


def test_the_tables_of_facts_are_keyed_by_what_they_count() -> None:
    assert TABLES["events"].key == ("source", "event_id")
    assert TABLES["identities"].key == ("namespace", "value")
    assert TABLES["sessions"].key == ("session_id",)
    assert TABLES["journeys"].key == ("journey_id",)
    assert TABLES["transitions"].key == (
        "level", "segment", "segment_value", "source_node", "target_node",
    )  # fmt: skip


def test_only_tables_about_runs_are_bookkeeping() -> None:
    assert {name for name, table in TABLES.items() if table.bookkeeping} == {
        "identity_changes",
        "ingest_ledger",
        "persona_changes",
        "persona_models",
        "runs",
    }
