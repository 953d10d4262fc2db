"""Expectations are asked of whole tables; a broken critical one keeps a version from being published."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from contracts.expectations import Suite
from contracts.loading import load_config
from footpath.expecting import import_library, validate
from footpath.running import STAGES, run_stages
from sql.check import CheckResult
from tests.commands import footpath
from tests.spine import PRESETS, add_files, raw_files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop() -> duckdb.DuckDBPyConnection:
    """Five orders, one of them negative, one of an unknown kind."""
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE orders AS SELECT * FROM (VALUES "
        "(1, 'web', 10.5::DECIMAL(18, 4), TIMESTAMP '2026-01-01'), (2, 'web', 3, TIMESTAMP '2026-01-02'), "
        "(3, 'store', -4, TIMESTAMP '2026-01-03'), (4, '<b>fax</b>', NULL, TIMESTAMP '2026-01-04'), "
        "(4, NULL, 8, TIMESTAMP '9999-01-05')) AS t (id, channel, value, placed_at)"
    )
    return connection


def asked(
    connection: duckdb.DuckDBPyConnection, folder: Path, *expectations: dict[str, Any], **suite: Any
) -> list[CheckResult]:
    whole = Suite.model_validate({"expectations": expectations, **suite})
    return validate(connection, {"orders": whole}, folder / "docs", "run")


def test_results_are_those_that_sql_finds(shop: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Unexpected values are counted over all rows: nulls are not values, decimals and times compare."""
    results = asked(
        shop,
        tmp_path,
        {"expect": "expect_column_values_to_not_be_null", "columns": ["id", "channel", "value"]},
        {"expect": "expect_column_values_to_be_between", "column": "value", "min_value": 0},
        {"expect": "expect_column_values_to_be_in_set", "column": "channel", "value_set": ["web", "store"]},
        {"expect": "expect_column_values_to_be_unique", "column": "id"},
        {"expect": "expect_column_max_to_be_between", "column": "placed_at", "max_value": "2026-12-31T00:00:00"},
        {"expect": "expect_table_row_count_to_equal", "value": 5},
        {"expect": "expect_column_mean_to_be_between", "column": "value", "min_value": 4, "max_value": 5},
        {"expect": "expect_column_values_to_be_between", "column": "value", "min_value": 0, "mostly": 0.7},
    )  # fmt: skip
    assert [r.violations for r in results] == [0, 1, 1, 1, 1, 2, 1, 0, 0, 0]
    assert results[3].examples == ("found -4.0",)
    assert "orders: value values to be between (min_value 0)" in results[3].promise


def test_a_query_is_expected_of_like_a_table(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Its rows are the batch; a query that cannot be run is a broken expectation, not a crash."""
    between = {"expect": "expect_column_values_to_be_between", "column": "n", "max_value": 1}
    (found,) = asked(shop, tmp_path, between, query="SELECT count(*) AS n FROM orders;")
    assert (found.violations, found.examples) == (1, ("found 5",))
    (found,) = asked(shop, tmp_path, between, query="SELECT nothing FROM orders")
    assert "nothing" in found.examples[0]
    (found,) = asked(shop, tmp_path, between, query="DROP TABLE orders")
    assert not found.passed
    assert shop.execute("SELECT count(*) FROM orders").fetchall() == [(5,)]


def test_data_docs_show_every_suite_and_escape_values(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """The pages hold the unexpected values as text, never as HTML, and load nothing from anywhere."""
    asked(
        shop,
        tmp_path,
        {"expect": "expect_column_values_to_be_in_set", "column": "channel", "value_set": ["web"]},
    )
    index = (tmp_path / "docs" / "index.html").read_text("utf-8")
    assert '<td>✗</td><td><a href="validations/orders.html">orders</a></td><td>0 of 1</td>' in index
    text = (tmp_path / "docs" / "validations" / "orders.html").read_text("utf-8")
    assert "fax" in text
    assert "<b>fax</b>" not in text
    for page in (index, text):
        assert (
            re.findall(r"<(?:link|script|img|iframe)[^>]*(?:src|href)=[^>]*>|@import", page) == []
        )


@pytest.mark.parametrize("column", ["channel", "value"])
def test_what_is_absent_is_found_alone_and_beside_others(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A null is one, whether nothing else is asked of its column, for which no text is read, or something is."""
    present = {"expect": "expect_column_values_to_not_be_null", "column": column}
    of_values = {
        "expect": "expect_column_distinct_values_to_be_in_set",
        "column": column,
        "value_set": [1],
    }
    (alone,) = asked(shop, tmp_path, present)
    beside, _ = asked(shop, tmp_path, present, of_values)
    assert alone == beside
    assert alone.violations == 1
    assert "ambiguous" not in caplog.text


def test_data_docs_show_numbers_that_were_found(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers of numpy, which the renderers leave out with a complaint, are shown like others."""
    asked(
        shop,
        tmp_path,
        {"expect": "expect_column_max_to_be_between", "column": "value", "max_value": 1},
    )
    text = (tmp_path / "docs" / "validations" / "orders.html").read_text("utf-8")
    (greatest,) = shop.execute("SELECT max(value) FROM orders").fetchone()
    assert f"{float(greatest):g}" in re.sub("<[^>]*>", " ", text).split()
    assert "num_to_str" not in caplog.text


def test_nothing_is_sent(
    shop: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every connection refused a validation succeeds, and none was tried: usage data stay here."""
    tried = []

    def refuse(*address: Any) -> None:
        tried.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    import_library()
    assert os.environ["GX_ANALYTICS_ENABLED"] == "False"
    assert asked(shop, tmp_path, {"expect": "expect_table_row_count_to_equal", "value": 5})[
        0
    ].passed
    assert tried == []


def test_a_critical_expectation_stops_publication_and_the_last_version_is_served(
    tmp_path: Path, retailer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """New input that breaks it ends with exit code 5; readers keep the old version, warnings are only told."""
    add_files(tmp_path, raw_files(retailer))
    expectations = [
        {"expect": "expect_column_max_to_be_between", "column": "value", "max_value": 99_000},
        {"expect": "expect_column_min_to_be_between", "column": "value", "min_value": 0, "severity": "warning",
         "because": "refunds are not expected here"},
    ]  # fmt: skip
    document = {
        "project": "Test",
        "as_of": "2026-02-01T00:00:00Z",
        "sources": {n: {"preset": p, "paths": f"data/{n}/*"} for n, p in PRESETS.items()},
        "expectations": {"events": expectations},
    }
    file = tmp_path / "footpath.yml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="footpath"):
        first = run_stages(load_config(file), STAGES, ())
    database = first.lake.current / "footpath.duckdb"
    broken = "SELECT name, severity FROM data_quality WHERE NOT passed AND table_name = 'events'"
    with duckdb.connect(str(database), read_only=True) as connection:
        assert connection.execute(broken).fetchall() == [
            ("events.value column_min_to_be_between", "warning")
        ]
    assert "refunds are not expected here" in caplog.text
    assert "refunds are not expected here" in (first.lake.current / "report/index.html").read_text()
    for page in ("data_docs/index.html", "dictionary/dictionary.html", "dictionary/dictionary.md"):
        assert (first.lake.current / page).is_file()
    report = (first.lake.current / "report" / "index.html").read_text("utf-8")
    assert '"../dictionary/dictionary.html"' in report
    assert '"../data_docs/index.html"' in report
    before = database.read_bytes()

    raw = min((tmp_path / "data" / "store").iterdir()).read_bytes()
    order = json.loads(raw.splitlines()[0])
    order |= {"id": 424242, "total_price": "1000000.00", "current_total_price": "1000000.00"}
    (tmp_path / "data" / "store" / "late.jsonl").write_text(json.dumps(order), encoding="utf-8")
    done = footpath("run", cwd=tmp_path, expect=5)
    assert "events: value max to be between (max_value 99000)" in done.stderr
    assert "found 1000000" in done.stderr
    assert database.read_bytes() == before
    assert json.loads((first.lake.root / "run.json").read_text())["exit_code"] == 5
