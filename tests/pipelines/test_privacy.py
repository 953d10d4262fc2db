"""Raw personal identifiers reach no file of the warehouse, and no log."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from footpath.running import STAGES, run_stages
from tests.spine import add_files, configure, raw_files


def texts(table: pa.Table) -> Iterator[pa.Array]:
    """Distinct values of the text columns."""
    for column in table.itercolumns():
        if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
            yield pc.unique(column.cast(pa.string())).drop_null()


def personal_values(retailer: Path) -> list[str]:
    """E-mail addresses and phone numbers of the truth, as written and normalised."""
    truth = pq.read_table(retailer / "truth" / "identifiers.parquet").to_pylist()
    found = {
        v
        for row in truth
        if row["namespace"] in ("email", "phone")
        for v in (row["value"], row["raw"])
    }
    return sorted(v for v in found if v and len(v) > 5)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> tuple[Path, str]:
    """A warehouse, published whole, and all that was logged on the way."""
    folder = tmp_path_factory.mktemp("private")
    add_files(folder, raw_files(retailer))
    log = folder / "log"
    handler = logging.FileHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        config = configure(folder)
        run_stages(config, STAGES, ())
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    return config.warehouse, log.read_text("utf-8")


def test_no_personal_value_is_in_any_file(warehouse: tuple[Path, str], retailer: Path):
    """Neither decoded from Parquet nor in the bytes of any file, in whatever spelling the truth
    knows.
    """
    values = personal_values(retailer)
    assert len(values) > 100
    assert any("@" in value for value in values)
    raw = pa.array(values).cast(pa.large_string())
    for path in (p for p in warehouse[0].rglob("*") if p.is_file()):
        content = path.read_bytes().lower()
        assert [v for v in values if "@" in v and v.strip().lower().encode() in content] == [], path
        if path.suffix == ".parquet":
            for distinct in texts(pq.read_table(path, partitioning=None)):
                assert not pc.any(pc.is_in(distinct.cast(pa.large_string()), raw)).as_py(), path
                assert not pc.any(pc.match_substring(distinct, "@")).as_py(), path


def test_the_published_database_holds_no_address(warehouse: tuple[Path, str]):
    """DuckDB compresses, so its values are looked at one by one."""
    import duckdb

    with duckdb.connect(str(warehouse[0] / "current" / "footpath.duckdb"), read_only=True) as con:
        columns = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE NOT internal AND data_type = 'VARCHAR'"
        ).fetchall()
        assert len(columns) > 20
        for table, column in columns:
            found = con.execute(
                f'SELECT DISTINCT "{column}" FROM "{table}" '
                f"""WHERE regexp_matches("{column}", '[^ ]@[^ ]') LIMIT 3"""
            ).fetchall()
            assert found == [], (table, column)


def test_neither_log_nor_files_tell_the_key_or_an_address(
    warehouse: tuple[Path, str], retailer: Path
):
    """The key is in the environment alone."""
    root, log = warehouse
    key = os.environ["FOOTPATH_KEY"].encode()
    assert [value for value in personal_values(retailer) if "@" in value and value in log] == []
    assert [p for p in root.rglob("*") if p.is_file() and key in p.read_bytes()] == []
