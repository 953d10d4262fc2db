"""A database made from the version before holds what one that is built from nothing holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sql.digest import digest_connection
from sql.publish import publish_database
from sql.revision import OF_CUSTOMERS, Earlier
from tests.databases import rows_that_left
from tests.small_world import SETTINGS, small_world, write_lake

Files = dict[str, list[Path]]

EARLIER: dict[str, Any] = SETTINGS | {"watermark": SETTINGS["watermark"] - timedelta(days=9)}
NEW = [f"c{number:05d}" for number in range(3)]
"""Customers who come with the new version."""
GROWN = [f"c{number:05d}" for number in range(20, 40)]
"""Customers whose second journey, if they have one, the earlier version has not."""
CHANGED = [*NEW, *GROWN, "c00010", "somebody"]
"""By their names in both versions."""


def rows(known: pa.Table, condition: str) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(f"SELECT * FROM known WHERE {condition}").to_arrow_table()
    return found.cast(known.schema)


def listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Earlier, Files]:
    """A published version, and the files of the next: customers come, grow, one is renamed; of the files of events one
    is the same, one lost a row to a better copy, and one is new.
    """
    folder = tmp_path_factory.mktemp("lake")
    now = small_world(120)
    of_customers = set(OF_CUSTOMERS) & set(now)
    grown = rows(now["journeys"], f"customer_id IN ({listed(GROWN)})")["journey_id"].to_pylist()
    later = [id_ for id_ in grown if id_.endswith("-1")]
    assert len(later) > 1
    before = {}
    for name in of_customers:
        known = rows(now[name], f"customer_id NOT IN ({listed(NEW)})")
        if "journey_id" in known.column_names:
            known = rows(known, f"journey_id NOT IN ({listed(later)})")
        names = known["customer_id"]
        names = pc.if_else(pc.equal(names, "c00010"), "somebody", names)
        place = known.schema.get_field_index("customer_id")
        before[name] = known.set_column(place, "customer_id", names)
    same = {name: now[name] for name in now if name not in {"events", *of_customers}}
    files = write_lake(folder / "both", same)
    events = now["events"]
    pieces = {
        "stays": events.slice(0, 500),
        "whole": events.slice(500, 200),
        "lost a row": events.slice(501, 199),
        "new": events.slice(700),
    }
    for name, piece in pieces.items():
        pq.write_table(piece, folder / f"{name}.parquet")
    versions = []
    for label, tables, of_events in (
        ("was", before, ("stays", "whole")),
        ("is", now, ("stays", "lost a row", "new")),
    ):
        own = write_lake(folder / label, {name: tables[name] for name in of_customers})
        own["events"] = [folder / f"{name}.parquet" for name in of_events]
        versions.append(files | own)
    path = folder / "earlier.duckdb"
    publish_database(path, versions[0], **EARLIER)
    changed = pa.array(CHANGED, pa.string())
    return Earlier(path, versions[0], EARLIER["watermark"], changed, True), versions[1]


def told(path: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Digests, and all that a database says of itself."""
    with duckdb.connect(str(path), read_only=True) as connection:
        about = connection.sql(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal UNION ALL "
            "SELECT table_name, NULL, NULL, comment FROM duckdb_tables() UNION ALL "
            "SELECT view_name, NULL, sql, comment FROM duckdb_views() WHERE NOT internal UNION ALL "
            "SELECT function_name, NULL, macro_definition, comment FROM duckdb_functions() WHERE NOT internal "
            "ORDER BY ALL"
        ).fetchall()
        return digest_connection(connection), about


def test_it_equals_one_that_is_built_from_nothing(
    tmp_path: Path, lake: tuple[Earlier, Files]
) -> None:
    """Every table, comment, view and macro, though most rows were not looked at; some journeys lapse by time alone."""
    earlier, files = lake
    whole, revised = tmp_path / "whole.duckdb", tmp_path / "revised.duckdb"
    counts = publish_database(whole, files, **SETTINGS)
    before = earlier.database.read_bytes()
    (tmp_path / ".revised.duckdb.building").write_text("what a run left that was killed")
    assert publish_database(revised, files, **SETTINGS, earlier=earlier) == counts
    assert told(revised) == told(whole)
    assert earlier.database.read_bytes() == before
    assert {*tmp_path.iterdir()} == {whole, revised}
    assert rows_that_left(whole) == {}
    assert {*rows_that_left(revised)} >= {
        "events",
        "touchpoints",
        "sessions",
        "journeys",
        "journey_walks",
    }
    assert rows_that_left(revised)["events"] == 200
    assert rows_that_left(revised)["journeys"] < counts["journeys"] / 2


def test_time_alone_makes_journeys_lapse(tmp_path: Path, lake: tuple[Earlier, Files]) -> None:
    """With the same files and a later watermark, outcomes and the ends of walks follow."""
    earlier = replace(lake[0], changed=pa.array([], pa.string()))
    whole, revised = tmp_path / "whole.duckdb", tmp_path / "revised.duckdb"
    publish_database(whole, earlier.files, **SETTINGS)
    publish_database(revised, earlier.files, **SETTINGS, earlier=earlier)
    assert told(revised) == told(whole)
    assert told(revised)[0]["journeys"] != told(earlier.database)[0]["journeys"]


def test_a_new_touchpoint_changes_the_letters_of_all(
    tmp_path: Path, lake: tuple[Earlier, Files]
) -> None:
    """Walks of customers to whom nothing happened are spelled anew."""
    earlier, files = lake
    paths = []
    for number, path in enumerate(files["touchpoints"]):
        found = pq.read_table(path, partitioning=None)
        first = pc.and_(pc.equal(found["customer_id"], NEW[0]), pc.equal(found["step"], 1))
        names = pc.if_else(first, "a_touchpoint_before_all", found["touchpoint"])
        place = found.schema.get_field_index("touchpoint")
        paths.append(tmp_path / f"{number}.parquet")
        pq.write_table(found.set_column(place, "touchpoint", names), paths[-1])
    files = files | {"touchpoints": paths}
    whole, revised = tmp_path / "whole.duckdb", tmp_path / "revised.duckdb"
    publish_database(whole, files, **SETTINGS)
    publish_database(revised, files, **SETTINGS, earlier=earlier)
    assert told(revised) == told(whole)
    assert "journey_walks" not in rows_that_left(revised)
    assert {*rows_that_left(revised)} >= {"events", "touchpoints", "journeys"}


@pytest.mark.parametrize("reason", ["many customers are affected", "many rows have left"])
def test_it_is_built_from_nothing_where_little_would_stay(
    tmp_path: Path, lake: tuple[Earlier, Files], reason: str
) -> None:
    """With more than a quarter of the customers affected, or of the rows in the file gone, nothing is copied."""
    earlier, files = lake
    if reason == "many customers are affected":
        everybody = pa.array([f"c{number:05d}" for number in range(120)])
        earlier = replace(earlier, changed=everybody)
    else:
        holed = tmp_path / "holed.duckdb"
        holed.write_bytes(earlier.database.read_bytes())
        with duckdb.connect(str(holed), config={"max_vacuum_tasks": 0}) as connection:
            for table in ("events", "touchpoints"):
                connection.execute(f"DELETE FROM {table} WHERE hash(event_id) % 2 = 0")
        earlier = replace(earlier, database=holed)
    path = tmp_path / "built.duckdb"
    counts = publish_database(path, files, **SETTINGS, earlier=earlier)
    assert rows_that_left(path) == {}
    assert counts["events"] > 700
