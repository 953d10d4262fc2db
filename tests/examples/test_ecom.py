"""The example ecom: a clickstream that knows its own sessions and its planted stories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.examples.worked_example import DATA, WorkedExample, needs, run

pytestmark = needs("ecom")

_RAW = f"read_csv('{DATA / 'ecom' / 'ecom.csv.gz'}', all_varchar = true)"

TOUCHPOINTS = f"""
WITH names AS (
  SELECT * FROM (VALUES
    ('home', 'home', 'awareness'), ('promo_page', 'promo_page', 'awareness'),
    ('catalog', 'catalog', 'consideration'), ('filter_results', 'catalog', 'consideration'),
    ('search', 'search', 'consideration'), ('product_view', 'product_view', 'consideration'),
    ('compare', 'compare', 'consideration'), ('review_page', 'compare', 'consideration'),
    ('wishlist_add', 'compare', 'consideration'), ('add_to_cart', 'add_to_cart', 'checkout'),
    ('cart', 'cart', 'checkout'), ('shipping_details', 'shipping_details', 'checkout'),
    ('payment_details', 'payment_details', 'checkout'),
    ('payment_error', 'payment_error', 'checkout'),
    ('checkout_bug', 'checkout_bug', 'checkout'), ('purchase', 'purchase', 'purchase'),
    ('support_chat', 'support_chat', 'service'), ('account_page', 'account', 'service'),
    ('error_page', 'error_page', 'service')
  ) AS t (event, touchpoint, stage)
)
SELECT user_id AS customer_id, timezone('UTC', timestamp::TIMESTAMP) AS event_time,
  'web' AS source, session_id || '/' || timestamp || '/' || event AS event_id, touchpoint, stage,
  session_id AS visit, platform
FROM (SELECT DISTINCT * FROM {_RAW}) LEFT JOIN names USING (event)
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkedExample]:
    warehouse: Path = tmp_path_factory.mktemp("ecom")
    example = run("ecom", warehouse, "user_id")
    example.expect_touchpoints(TOUCHPOINTS)
    yield example
    example.con.close()


def test_every_record_is_accounted_for(example: WorkedExample) -> None:
    """Records are events, but for the 30 that repeat another in every column."""
    ((read,),) = example.rows(f"SELECT count(*) FROM {_RAW}")
    ((events,),) = example.rows("SELECT count(*) FROM touchpoints")
    assert (read, read - events) == (31_106, 30)
    assert example.accounting() == {"web": (read, events, 30, 0, 0, 0)}


def test_touchpoints_are_those_of_the_raw_file(example: WorkedExample) -> None:
    """Every event, with its touchpoint and stage."""
    columns = "customer_id, event_time, source, event_id, touchpoint, stage, visit, platform"
    assert example.touchpoint_differences(columns) == []


@pytest.mark.parametrize("table", ["sessions", "journeys"])
def test_cuts_equal_sql(example: WorkedExample, table: str) -> None:
    """Sessions and journeys equal those of SQL over the raw file, row for row."""
    assert example.cut_differences(table) == []


def test_sessions_are_the_shops_own(example: WorkedExample) -> None:
    """The 3,605 sessions are those that the data itself declares: same events, one to one."""
    assert example.rows(
        "SELECT count(DISTINCT session_id), count(DISTINCT visit), "
        "count(DISTINCT (session_id, visit)) FROM published_touchpoints"
    ) == [(3_605, 3_605, 3_605)]


def test_conversions_are_the_purchases(example: WorkedExample) -> None:
    """After a purchase the next browsing opens a journey: each purchase has its own."""
    ((purchases,),) = example.rows(f"SELECT count(*) FROM {_RAW} WHERE event = 'purchase'")
    assert example.rows("SELECT count(*) FROM journeys WHERE converted") == [(purchases,)]


def test_arrivals_are_departures(example: WorkedExample) -> None:
    """What arrives at a node leaves it, on every level and in every segment; all checks hold."""
    assert example.unbalanced_nodes() == []
    assert example.broken_checks() == []


def test_the_planted_incidents_are_found_dated_and_tied(example: WorkedExample) -> None:
    """Two findings, no more: payments failing for everybody, and a bug of mobile users' checkout.

    Their days are those of the data's own first and last error events, within three days, and the
    planted days are in their intervals, within one.
    """
    rows = example.rows(
        "SELECT node, target, segment, segment_value, begins, ends, begins_earliest, begins_latest, "
        "ends_earliest, ends_latest FROM published.pain_points ORDER BY rank"
    )
    assert [row[:4] for row in rows] == [
        ("payment_details", "payment_error", "all", "all"),
        ("shipping_details", "checkout_bug", "platform", "mobile"),
    ]
    planted = {
        "payment_error": (date(2024, 5, 19), date(2024, 6, 7)),
        "checkout_bug": (date(2024, 4, 9), date(2024, 5, 9)),
    }
    day = timedelta(days=1)
    for _, target, _, _, begins, ends, *within in rows:
        ((first, last),) = example.rows(
            f"SELECT min(timestamp::DATE), max(timestamp::DATE) FROM {_RAW} WHERE event = '{target}'"
        )
        assert abs((begins - first).days) <= 3, target
        assert abs((ends - last).days) <= 3, target
        began, ended = planted[target]
        assert within[0] <= began <= within[1], target
        assert within[2] - day <= ended <= within[3] + day, target


def test_findings_are_shown_by_their_own_queries(example: WorkedExample) -> None:
    """Each finding's SQL gives its number and its baseline, and its examples are real journeys."""
    analyst = example.con.cursor()
    analyst.execute("USE published")
    for rank, query, measured, baseline, journeys in analyst.execute(
        "SELECT rank, query, measured, baseline, denominator FROM pain_points"
    ).fetchall():
        here, there = analyst.execute(query).fetchall()
        assert here[1] == journeys
        assert (here[2], there[2]) == pytest.approx((measured, baseline))
        examples = analyst.execute(
            "FROM pain_point_journeys JOIN journeys USING (journey_id) WHERE rank = ?", [rank]
        )
        assert len(examples.fetchall()) == 5


def test_new_and_loyal_users_convert_unlike_others(example: WorkedExample) -> None:
    """The two are the lifecycles that differ, one below all others, one above."""
    rows = example.rows(
        "SELECT segment_value, difference_low, difference_high FROM published.segment_differences "
        "WHERE segment = 'lifecycle' AND q_value <= 0.05 ORDER BY 1"
    )
    found = {value: (low, high) for value, low, high in rows}
    assert set(found) == {"loyal", "new"}
    assert found["new"][1] < 0 < found["loyal"][0]
