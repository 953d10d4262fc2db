"""The example completejourney: mailings, coupons and baskets of households, against the raw files.

The SQL takes the campaigns' dates from ``campaign_descriptions.csv.gz``, which footpath does not
read: the example's configuration holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.examples.worked_example import DATA, WorkedExample, needs, run

pytestmark = needs("completejourney")

_RAW = DATA / "completejourney"


def _csv(name: str) -> str:
    return f"read_csv('{_RAW / name}.csv.gz', all_varchar = true)"


TOUCHPOINTS = f"""
WITH mailings AS (
  SELECT household_id AS customer_id,
    timezone('America/New_York', start_date::TIMESTAMP) AS event_time,
    'campaigns' AS source, campaign_id || '-' || household_id AS event_id,
    'mailing_type_' || lower(right(campaign_type, 1)) AS touchpoint, 'awareness' AS stage,
    NULL::DECIMAL(18, 4) AS value, 1 AS lines, campaign_id AS campaign
  FROM {_csv("campaigns")} c JOIN {_csv("campaign_descriptions")} d USING (campaign_id)
  WHERE start_date >= '2016-12-28'
),
redemptions AS (
  SELECT household_id, timezone('America/New_York', redemption_date::TIMESTAMP), 'coupons',
    household_id || '-' || campaign_id || '-' || redemption_date || '/coupon_redemption',
    'coupon_redemption', 'activation', NULL, count(*), campaign_id
  FROM {_csv("coupon_redemptions")} GROUP BY household_id, campaign_id, redemption_date
),
baskets AS (
  SELECT household_id, timezone('UTC', min(transaction_timestamp::TIMESTAMP)), 'tills',
    basket_id || '/purchase', 'purchase', 'purchase', sum(sales_value::DECIMAL(18, 4)),
    count(*), NULL
  FROM {_csv("transactions_sample")} GROUP BY household_id, basket_id
)
SELECT * REPLACE (value::DECIMAL(18, 4) AS value, lines::INT AS lines)
FROM (FROM mailings UNION ALL FROM redemptions UNION ALL FROM baskets)
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkedExample]:
    warehouse: Path = tmp_path_factory.mktemp("completejourney")
    example = run("completejourney", warehouse, "household")
    example.expect_touchpoints(TOUCHPOINTS)
    yield example
    example.con.close()


def test_every_record_is_accounted_for(example: WorkedExample) -> None:
    """Records are events, but for contacts from before the period, which are held."""
    counts = {
        name: example.rows(f"SELECT count(*) FROM {_csv(file)}")[0][0]
        for name, file in (
            ("campaigns", "campaigns"),
            ("coupons", "coupon_redemptions"),
            ("tills", "transactions_sample"),
        )
    }
    ((early,),) = example.rows(
        f"SELECT count(*) FROM {_csv('campaigns')} c JOIN {_csv('campaign_descriptions')} d "
        "USING (campaign_id) WHERE start_date < '2016-12-28'"
    )
    assert early == 29
    assert example.accounting() == {
        "campaigns": (counts["campaigns"], counts["campaigns"] - early, 0, 0, early, 0),
        "coupons": (counts["coupons"], counts["coupons"], 0, 0, 0, 0),
        "tills": (counts["tills"], counts["tills"], 0, 0, 0, 0),
    }


def test_a_customer_is_a_household(example: WorkedExample) -> None:
    """Households and customers correspond one to one."""
    ((households,),) = example.rows("SELECT count(DISTINCT customer_id) FROM touchpoints")
    assert example.rows(
        "SELECT count(*), count(DISTINCT customer_id), count(DISTINCT value) "
        "FROM published.identities"
    ) == [(households, households, households)]


def test_touchpoints_are_those_of_the_raw_files(example: WorkedExample) -> None:
    """Baskets, redemptions and mailings agree in every row, with time, value and campaign."""
    columns = "customer_id, event_time, source, event_id, touchpoint, stage, value, lines, campaign"
    assert example.touchpoint_differences(columns) == []


@pytest.mark.parametrize("table", ["sessions", "journeys"])
def test_cuts_equal_sql(example: WorkedExample, table: str) -> None:
    """Sessions and journeys equal those of SQL over the raw files, row for row."""
    assert example.cut_differences(table) == []


def test_money_is_exact(example: WorkedExample) -> None:
    """Sales add up to the cent, in total and by household, in sessions as in journeys."""
    raw = f"SELECT sum(sales_value::DECIMAL(18, 4)) FROM {_csv('transactions_sample')}"
    assert example.rows(raw) == [(Decimal("233935.2400"),)]
    of_households = (
        "SELECT customer_id, sum(value) FROM {} GROUP BY 1 HAVING sum(value) <> 0 ORDER BY 1"
    )
    expected = example.rows(of_households.format("touchpoints"))
    assert example.rows(of_households.format("sessions")) == expected
    assert example.rows(of_households.format("journeys")) == expected


def test_order_of_ties_is_the_documented_one(example: WorkedExample) -> None:
    """Touchpoints of one moment stand in the order of source and event id."""
    assert (
        example.rows(
            "SELECT * FROM (SELECT journey_id, step, row_number() OVER (PARTITION BY journey_id "
            "ORDER BY event_time, source, event_id) AS place "
            "FROM published_touchpoints) WHERE step <> place"
        )
        == []
    )


def test_a_coupon_stays_with_the_basket_of_its_day(example: WorkedExample) -> None:
    """A basket of the (New York) day of a redemption is in the redemption's session."""
    assert example.rows(
        """
        WITH days AS (
          SELECT *, timezone('America/New_York', event_time::TIMESTAMPTZ)::DATE AS day
          FROM published_touchpoints
        )
        SELECT count(*) > 700, count(*) FILTER (c.session_id <> p.session_id)
        FROM days c JOIN days p USING (customer_id, day)
        WHERE c.touchpoint = 'coupon_redemption' AND p.touchpoint = 'purchase'
        """
    ) == [(True, 0)]


def test_arrivals_are_departures(example: WorkedExample) -> None:
    """What arrives at a node leaves it, on every level and in every segment; all checks hold."""
    assert example.unbalanced_nodes() == []
    assert example.broken_checks() == []


def test_mailings_that_differ_are_no_incidents(example: WorkedExample) -> None:
    """Mailings reach a thousand households on one day, and one in seven or one in thirty of them don't buy: that
    is how mailings differ, and no pain point.
    """
    ((differ,),) = example.rows(
        """
        SELECT count(*) FROM (
            SELECT avg((outcome = 'lapsed')::INT) AS lapsed FROM published.journeys
            WHERE entry_channel = 'mail' GROUP BY started_at::DATE HAVING count(*) > 100
        ) WHERE lapsed > 0.1 OR lapsed < 0.05
        """
    )
    assert differ >= 10
    assert example.rows("SELECT sentence FROM published.pain_points") == []
