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

from contracts.config import SMALL
from contracts.loading import load_config
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
                assert not pc.any(pc.match_substring_regex(distinct, "[^ ]@[^ ]")).as_py(), path


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


@pytest.mark.usefixtures("unasked")
def test_small_segments_are_told_as_one_group(warehouse: tuple[Path, str]):
    """With a least number of customers no slice has fewer, sums hold (or nothing would have been
    published), and nothing else changes.
    """
    import duckdb

    config = load_config(warehouse[0].parent / "footpath.yml")
    path = str(warehouse[0] / "current" / "footpath.duckdb")
    with duckdb.connect(path, read_only=True) as con:
        sizes = dict(
            con.sql(
                "SELECT entry_channel, count(DISTINCT customer_id) FROM journeys GROUP BY 1"
            ).fetchall()
        )
        before = con.sql("SELECT * FROM stages WHERE segment = 'all' ORDER BY ALL").fetchall()
        visits = con.sql("SELECT sum(visits) FROM stages WHERE segment <> 'all'").fetchall()
    least = min(sizes.values()) + 1
    privacy = config.privacy.model_copy(update={"min_group": least})
    run_stages(config.model_copy(update={"privacy": privacy}), STAGES, ())
    with duckdb.connect(path, read_only=True) as con:
        told = {
            value
            for table in ("stages", "transitions", "kpis")
            for (value,) in con.sql(
                f"SELECT DISTINCT segment_value FROM {table} WHERE segment = 'entry_channel'"
            ).fetchall()
        }
        assert told <= {SMALL, *(value for value, size in sizes.items() if size >= least)}
        assert SMALL in told
        assert len(set(sizes) - told) >= 2, "none can be told by subtraction"
        small = "value < (SELECT min_group FROM settings)"
        assert con.sql(f"FROM kpis WHERE measure = 'customers' AND {small}").fetchall() == []
        after = con.sql("SELECT * FROM stages WHERE segment = 'all' ORDER BY ALL").fetchall()
        assert after == before
        assert con.sql("SELECT sum(visits) FROM stages WHERE segment <> 'all'").fetchall() == visits
