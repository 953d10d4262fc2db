"""The published database holds the lake's rows, typed, explained, and readable by older DuckDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.schemas import TABLES, table_columns, table_schema
from sql.digest import digest_connection
from sql.publish import LARGE, publish_database
from tests.small_world import (
    ATTRIBUTES,
    NAMESPACES,
    SETTINGS,
    publish_small_world,
    small_world,
    write_lake,
)


def _journeys(rows: list[tuple[str, bool, datetime]]) -> pa.Table:
    """Journeys of which only what the outcome depends on is told."""
    schema = table_schema("journeys")
    told = {
        "journey_id": [row[0] for row in rows],
        "converted": [row[1] for row in rows],
        "ended_at": [row[2] for row in rows],
    }
    return pa.table(
        [
            pa.array(told[name], schema.field(name).type)
            if name in told
            else pa.nulls(len(rows), schema.field(name).type)
            for name in schema.names
        ],
        schema=schema,
    )


def test_an_outcome_follows_from_conversion_watermark_and_gap(tmp_path: Path) -> None:
    """A silence of exactly the gap leaves a journey open; a microsecond more lets it lapse."""
    watermark = datetime(2025, 7, 31, tzinfo=UTC)
    gap = timedelta(days=30)
    moment = timedelta(microseconds=1)
    lake = {
        "journeys": _journeys(
            [
                ("bought long ago", True, watermark - 3 * gap),
                ("bought now", True, watermark),
                ("quiet for the gap", False, watermark - gap),
                ("quiet for longer", False, watermark - gap - moment),
                ("under way", False, watermark),
            ]
        )
    }
    path = tmp_path / "footpath.duckdb"
    publish_database(
        path, write_lake(tmp_path, lake), watermark=watermark, journey_gap=gap, stages=["buy"]
    )
    with duckdb.connect(str(path), read_only=True) as con:
        assert dict(con.sql("SELECT journey_id, outcome FROM journeys").fetchall()) == {
            "bought long ago": "converted",
            "bought now": "converted",
            "quiet for the gap": "open",
            "quiet for longer": "lapsed",
            "under way": "open",
        }


def test_a_database_that_refers_to_the_lake_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not embedded, the large tables are views: same rows, types and comments, from any folder."""
    files = write_lake(tmp_path / "lake", small_world(40), parts=3)
    told = []
    for embed in (True, False):
        path = tmp_path / f"{embed}.duckdb"
        rows = publish_database(path, files, **SETTINGS, embed=embed)
        monkeypatch.chdir(tmp_path / "lake")
        with duckdb.connect(str(path), read_only=True) as con:
            columns = con.sql(
                "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
                "WHERE NOT internal ORDER BY ALL"
            ).fetchall()
            about = con.sql(
                "SELECT table_name, comment FROM duckdb_tables() UNION ALL "
                "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
            ).fetchall()
            views = con.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
            told.append((rows, columns, about, digest_connection(con)))
        referred = set(LARGE) & {name for (name,) in views}
        assert referred == (set() if embed else set(LARGE) & set(files))
    assert told[0] == told[1]
    assert set(LARGE) <= set(told[1][-1])


def test_every_table_holds_the_rows_of_its_files(tmp_path: Path) -> None:
    """Row counts are those of the lake, and the counts returned are those of the database."""
    lake = small_world(40)
    path = tmp_path / "footpath.duckdb"
    rows = publish_database(path, write_lake(tmp_path / "lake", lake, parts=3), **SETTINGS)
    assert {name: rows[name] for name in lake} == {n: t.num_rows for n, t in lake.items()}
    with duckdb.connect(str(path), read_only=True) as con:
        for name, count in rows.items():
            assert con.sql(f"SELECT count(*) FROM {name}").fetchall() == [(count,)]


def test_an_empty_lake_becomes_empty_tables_with_their_columns(tmp_path: Path) -> None:
    """Every table of the contract is there, its columns in order, its times UTC timestamps."""
    path = publish_small_world(tmp_path, customers=0)
    with duckdb.connect(str(path), read_only=True) as con:
        for name, table in TABLES.items():
            declared = [c.name for c in table_columns(table, NAMESPACES, ATTRIBUTES)]
            relation = con.sql(f"SELECT * FROM {name}")
            assert relation.columns[: len(declared)] == declared
            assert relation.fetchall() == []
        assert str(con.sql("SELECT event_time FROM events").types[0]) == "TIMESTAMP"


def test_every_table_view_and_column_is_explained(tmp_path: Path) -> None:
    """A comment tells the grain of every table and view and the meaning of every column."""
    path = publish_small_world(tmp_path, customers=0)
    with duckdb.connect(str(path), read_only=True) as con:
        unexplained = con.sql("""
            SELECT table_name, column_name FROM duckdb_columns()
            WHERE NOT internal AND comment IS NULL
            UNION ALL
            SELECT table_name, NULL FROM duckdb_tables() WHERE NOT internal AND comment IS NULL
            UNION ALL
            SELECT view_name, NULL FROM duckdb_views() WHERE NOT internal AND comment IS NULL
        """).fetchall()
        assert unexplained == []
        about = con.sql(
            "SELECT comment FROM duckdb_tables() WHERE table_name = 'sessions'"
        ).fetchall()
        assert about == [("one row per session; key: session_id",)]


def test_columns_that_older_files_lack_are_null_and_undeclared_ones_are_left_out(
    tmp_path: Path,
) -> None:
    """Files from before a namespace was declared, or after it was dropped, are read as well."""
    rows = small_world(5)["events"]
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    pq.write_table(rows.slice(0, 3).drop_columns(["id_email"]), old)
    pq.write_table(rows.slice(3, 3).append_column("id_gone", pa.array(["x"] * 3)), new)
    path = tmp_path / "footpath.duckdb"
    publish_database(path, {"events": [old, new]}, **SETTINGS)
    with duckdb.connect(str(path), read_only=True) as con:
        events = con.sql("SELECT * FROM events")
        assert "id_gone" not in events.columns
        assert con.sql("SELECT count(*), count(id_email) FROM events").fetchall() == [(6, 0)]


def test_the_journey_steps_of_a_journey_are_its_touchpoints_in_order(tmp_path: Path) -> None:
    """Steps run from 1, and dwell leads exactly to the time of the next step."""
    path = publish_small_world(tmp_path, customers=30)
    with duckdb.connect(str(path), read_only=True) as con:
        wrong = con.sql("""
            SELECT * FROM (
                SELECT journey_id, step, dwell_s,
                    row_number() OVER w AS expected_step,
                    date_diff('us', event_time, lead(event_time) OVER w) / 1e6 AS expected_dwell
                FROM journey_steps WINDOW w AS (PARTITION BY journey_id ORDER BY event_time)
            ) WHERE step <> expected_step OR dwell_s IS DISTINCT FROM expected_dwell
        """).fetchall()
        assert wrong == []


def test_the_rate_of_mature_journeys_leaves_nobody_out(tmp_path: Path) -> None:
    """Old enough journeys, open ones too, and who bought within a gap; none in the last month."""
    path = publish_small_world(tmp_path, customers=120)
    with duckdb.connect(str(path), read_only=True) as con:
        rows = con.sql("""
            SELECT period_start, numerator, denominator, value, low < value AND value < high
            FROM kpis
            WHERE measure = 'mature_conversion_rate' AND period = 'month' AND segment = 'all'
        """).fetchall()
        journeys = con.sql("SELECT started_at, converted_at FROM journeys").fetchall()
    watermark, gap = SETTINGS["watermark"].replace(tzinfo=None), SETTINGS["journey_gap"]
    for start, numerator, denominator, value, inside in rows:
        mature = [
            bought is not None and bought <= began + gap
            for began, bought in journeys
            if (began.year, began.month) == (start.year, start.month) and began + gap <= watermark
        ]
        assert (numerator, denominator) == (sum(mature), len(mature))
        assert value == (sum(mature) / len(mature) if mature else None)
        assert inside is not False or numerator in (0, denominator)
    assert any(denominator for _, _, denominator, _, _ in rows)
    assert rows[-1][3] is None or max(rows)[0].month < watermark.month


def test_kpis_equal_a_recomputation_from_the_tables(tmp_path: Path) -> None:
    """Conversion, customers and revenue of a month and channel are what the base tables give."""
    path = publish_small_world(tmp_path, customers=120)
    with duckdb.connect(str(path), read_only=True) as con:
        kpis = dict(
            con.sql("""
                SELECT measure, (value, numerator, denominator) FROM kpis
                WHERE period = 'month' AND period_start = DATE '2025-03-01'
                    AND segment = 'entry_channel' AND segment_value = 'email'
            """).fetchall()
        )
        converted, ended = con.sql("""
            SELECT count(*) FILTER (converted), count(*) FILTER (outcome <> 'open') FROM journeys
            WHERE strftime(started_at, '%Y-%m') = '2025-03' AND entry_channel = 'email'
        """).fetchall()[0]
        customers, revenue = con.sql("""
            SELECT count(DISTINCT t.customer_id) FILTER (session_step = 1),
                sum(t.value) FILTER (converts)
            FROM touchpoints t JOIN journeys USING (journey_id)
            WHERE strftime(event_time, '%Y-%m') = '2025-03' AND journeys.entry_channel = 'email'
        """).fetchall()[0]
    assert kpis["conversion_rate"] == (pytest.approx(converted / ended), converted, ended)
    assert kpis["customers"][0] == customers
    assert kpis["revenue"][0] == pytest.approx(float(revenue))


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilson_macros_give_published_intervals(
    tmp_path: Path, k: int, n: int, low: float, high: float
) -> None:
    """The score intervals of the textbooks (Newcombe 1998, method 3), four places."""
    path = publish_small_world(tmp_path, customers=0)
    with duckdb.connect(str(path), read_only=True) as con:
        found = con.execute("SELECT wilson_low(?, ?), wilson_high(?, ?)", [k, n, k, n]).fetchall()[
            0
        ]
    assert found == pytest.approx((low, high), abs=5e-5)


def test_the_database_is_written_for_duckdb_1_2_and_replaces_the_old_one_whole(
    tmp_path: Path,
) -> None:
    """The storage version is the promised one, and a failed build leaves the old database alone."""
    path = publish_small_world(tmp_path, customers=10)
    with duckdb.connect(str(path), read_only=True) as con:
        tags = con.sql("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()[0][0]
        assert "v1.2.0" in tags["storage_version"]
    before = path.read_bytes()
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    with pytest.raises(duckdb.Error):
        publish_database(path, {"events": [broken]}, **SETTINGS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_naive_watermark_or_an_unknown_table_is_refused(tmp_path: Path) -> None:
    """Both are mistakes of the caller, told at once."""
    path = tmp_path / "footpath.duckdb"
    with pytest.raises(ValueError, match="no time zone"):
        publish_database(path, {}, **SETTINGS | {"watermark": datetime(2025, 1, 1)})
    with pytest.raises(ValueError, match="no such table: journies"):
        publish_database(path, {"journies": []}, **SETTINGS)
