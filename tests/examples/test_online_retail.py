"""The example online_retail: half a million dirty invoice lines, against SQL over the raw file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.worked_example import DATA, WorkedExample, needs, run

pytestmark = [needs("online_retail"), pytest.mark.slow]

_RAW = DATA / "online_retail" / "online_retail.csv.gz"

LINES = f"""
CREATE TABLE raw_lines AS
SELECT *, regexp_extract(CustomerID, '^[0-9]+') AS customer,
  Quantity::DECIMAL(9, 0) * UnitPrice::DECIMAL(9, 4) AS value,
  StockCode IN ('D', 'CRUK', 'AMAZONFEE', 'BANK CHARGES') OR InvoiceNo LIKE 'A%'
    OR (InvoiceNo NOT LIKE 'C%' AND Quantity LIKE '-%') AS bookkeeping
FROM read_csv('{_RAW}', all_varchar = true)
"""

TOUCHPOINTS = """
WITH receipts AS (
  SELECT DISTINCT * FROM raw_lines WHERE customer IS NOT NULL AND NOT bookkeeping
)
SELECT customer AS customer_id,
  timezone('Europe/London', min(InvoiceDate::TIMESTAMP)) AS event_time,
  'invoices' AS source, if(InvoiceNo LIKE 'C%', 'return', 'purchase') AS touchpoint,
  if(InvoiceNo LIKE 'C%', 'service', 'purchase') AS stage,
  InvoiceNo || '/' || touchpoint AS event_id,
  sum(value)::DECIMAL(18, 4) AS value, count(*)::INT AS lines
FROM receipts GROUP BY customer, InvoiceNo
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkedExample]:
    warehouse: Path = tmp_path_factory.mktemp("online_retail")
    example = run("online_retail", warehouse, "customer_number")
    example.con.execute(LINES)
    example.expect_touchpoints(TOUCHPOINTS)
    yield example
    example.con.close()


def test_every_line_is_accounted_for(example: WorkedExample) -> None:
    """541,909 lines are events, but for those that repeat another in every column."""
    ((read, distinct),) = example.rows(
        "SELECT (SELECT count(*) FROM raw_lines), "
        "(SELECT count(*) FROM (SELECT DISTINCT * FROM raw_lines))"
    )
    assert read == 541_909
    assert example.accounting() == {"invoices": (read, distinct, read - distinct, 0, 0, 0)}


def test_every_event_becomes_a_touchpoint_or_is_counted(example: WorkedExample) -> None:
    """Lines without customer are counted, bookkeeping is ignored, all else is folded."""
    expected = example.rows(
        """
        SELECT count(*),
          count(DISTINCT InvoiceNo) FILTER (NOT bookkeeping AND customer IS NOT NULL),
          count(*) FILTER (customer IS NULL),
          count(*) FILTER (bookkeeping AND customer IS NOT NULL)
        FROM (SELECT DISTINCT * FROM raw_lines)
        """
    )
    found = example.rows(
        "SELECT events, touchpoints, unidentified, ignored FROM published.touchpoint_accounting"
    )
    assert found == expected
    assert example.rows("SELECT count(*) FROM published.unmatched_events") == [(0,)]


def test_touchpoints_are_the_invoices_of_the_raw_file(example: WorkedExample) -> None:
    """Every invoice and cancellation, its time in UTC, its value to the penny, its lines."""
    columns = "customer_id, event_time, source, event_id, touchpoint, stage, value, lines"
    assert example.touchpoint_differences(columns) == []


@pytest.mark.parametrize("table", ["sessions", "journeys"])
def test_cuts_equal_sql(example: WorkedExample, table: str) -> None:
    """Sessions and journeys equal those of SQL over the raw file, row for row."""
    assert example.cut_differences(table) == []


def test_money_is_exact(example: WorkedExample) -> None:
    """Sales less returns add up to the penny, customer by customer, in sessions as in journeys."""
    of_customers = "SELECT customer_id, sum(value) FROM {} GROUP BY 1 ORDER BY 1"
    expected = example.rows(of_customers.format("touchpoints"))
    assert len(expected) == 4_372
    assert example.rows(of_customers.format("sessions")) == expected
    assert example.rows(of_customers.format("journeys")) == expected


def test_arrivals_are_departures(example: WorkedExample) -> None:
    """What arrives at a node leaves it, on every level and in every segment; all checks hold."""
    assert example.unbalanced_nodes() == []
    assert example.broken_checks() == []
