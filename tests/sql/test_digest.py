"""Equal rows have equal digests whatever their order; a changed cell changes its table's alone."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.schemas import TABLES
from sql.digest import digest, digest_connection
from sql.publish import publish_database
from tests.small_world import SETTINGS, publish_small_world, small_world, write_lake


def test_order_and_files_make_no_difference(tmp_path: Path) -> None:
    """Shuffled rows in other files, on other numbers of threads, give the same digests."""
    lake = small_world(60)
    rng = np.random.default_rng(1)
    shuffled = {name: t.take(pa.array(rng.permutation(t.num_rows))) for name, t in lake.items()}
    one, two = tmp_path / "one.duckdb", tmp_path / "two.duckdb"
    publish_database(one, write_lake(tmp_path / "a", lake, parts=1), **SETTINGS, threads=1)
    publish_database(two, write_lake(tmp_path / "b", shuffled, parts=4), **SETTINGS, threads=2)
    assert digest(one, threads=1) == digest(two, threads=2)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=30)


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ("UPDATE sessions SET session_duration_s = nextafter(session_duration_s, 1e9) "
         "WHERE session_duration_s > 0", "sessions"),
        ("UPDATE touchpoints SET page = '' WHERE page = '/search'", "touchpoints"),
        ("UPDATE touchpoints SET page = NULL WHERE page = '/search'", "touchpoints"),
        ("UPDATE touchpoints SET value = value + 0.0001 WHERE value IS NOT NULL", "touchpoints"),
        ("UPDATE events SET event_time = event_time + INTERVAL 1 MICROSECOND WHERE event_id = 'e1'",
         "events"),
        ("UPDATE journeys SET customer_id = journey_id, journey_id = customer_id", "journeys"),
        ("INSERT INTO unmatched_events FROM unmatched_events", "unmatched_events"),
        ("DELETE FROM identities WHERE value = 'c00003'", "identities"),
        ("UPDATE events SET file_id = 'elsewhere'", None),
        ("UPDATE runs SET duration_s = 99", None),
        ("UPDATE data_quality SET violations = 99", None),
    ],
)  # fmt: skip
def test_a_changed_cell_changes_its_table_alone(
    published: Path, tmp_path: Path, change: str, table: str | None
) -> None:
    """Provenance and bookkeeping change no digest; anything else does, to the last bit."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        con.execute(change)
    before, after = digest(published), digest(path)
    assert [name for name in before if before[name] != after[name]] == ([table] if table else [])


def test_bookkeeping_tables_have_no_digest(published: Path) -> None:
    """Runs differ from run to run; what they produced must not."""
    assert not {name for name, table in TABLES.items() if table.bookkeeping} & set(
        digest(published)
    )


TEXTS = st.lists(
    st.tuples(st.text(":-01ab", max_size=3) | st.none(), st.text(":-01ab", max_size=3) | st.none()),
    min_size=1,
    max_size=3,
)


@given(rows=TEXTS, other=TEXTS)
@settings(deadline=None, max_examples=50)
def test_texts_cannot_be_shifted_between_columns(
    rows: list[tuple[str | None, str | None]], other: list[tuple[str | None, str | None]]
) -> None:
    """Two tables of texts have equal digests exactly where they hold the same rows as often."""
    found = []
    with duckdb.connect(config={"threads": 1}) as con:
        for content in (rows, other, rows[::-1]):
            given_rows = pa.table(
                dict(zip("ab", map(list, zip(*content, strict=True)), strict=True))
            )
            con.register("given_rows", given_rows)
            con.execute(
                "CREATE OR REPLACE TABLE t AS SELECT a::TEXT AS a, b::TEXT AS b FROM given_rows"
            )
            found.append(digest_connection(con)["t"])
    one, two = (sorted(map(repr, content)) for content in (rows, other))
    assert (found[0] == found[1]) == (one == two)
    assert found[0] == found[2]


def test_a_digest_is_what_its_definition_says(tmp_path: Path) -> None:
    """The hash of one known row, recomputed with the standard library alone."""
    path = tmp_path / "one.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE t (b DOUBLE, a VARCHAR, c TIMESTAMP, d BIGINT)")
        con.execute(
            "INSERT INTO t VALUES (0.1, 'zoë', '1970-01-01 00:00:01', NULL), (-0.0, '', NULL, 7)"
        )
    sums = [0, 0]
    for text in ("4:zoë0.10000000000000001;1000000;-", "0:0;-7;"):
        # DuckDB reads the 16 bytes of an MD5 as a little-endian number.
        number = int.from_bytes(hashlib.md5(text.encode()).digest(), "little")
        sums[0] += number >> 64
        sums[1] += number & (2**64 - 1)
    head = "a VARCHAR\nb DOUBLE\nc TIMESTAMP\nd BIGINT\n"
    expected = hashlib.sha256(f"{head}2\n{sums[0]}\n{sums[1]}".encode()).hexdigest()
    assert digest(path) == {"t": expected}
