"""Touchpoints, sessions and journeys against an independent SQL recomputation, and on five-row
literals.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Config
from contracts.schemas import TABLES, table_schema
from models.dictionaries import encode
from models.journeys import outcomes, summarise_journeys
from models.touchpoints import Cut, build_touchpoints
from tests.oracles import sessions_sql

START = datetime(2025, 1, 1, tzinfo=UTC)
_STAGES = {
    "ad": "awareness",
    "cart": "consideration",
    "buy": "purchase",
    "help": "service",
    "other": "other",
}


def config(**changes: Any) -> Config:
    source = {
        "paths": "x", "format": "csv", "channel": "c", "identifiers": {"user_id": "u"},
        "fields": {"event_time": "t", "event_type": "e", "transaction_id": "r"},
    }  # fmt: skip
    document: dict[str, Any] = {
        "project": "t",
        "sources": {
            "web": source | {"attributes": {"device": "d"}},
            "till": source | {"lines_of_receipt": True},
        },
        "touchpoints": [
            {"touchpoint": t, "stage": s, "when": {"event_type": t}}
            for t, s in _STAGES.items()
            if t != "other"
        ],
        "journey": {"conversion": ["buy"]},
    }
    return Config.model_validate(document | changes)


def events(*rows: dict[str, Any]) -> pa.Table:
    """Rows with defaults: minute `at`, customer 1, source web, channel web."""
    filled = []
    for number, row in enumerate(rows):
        row = {
            "customer": 1,
            "source": "web",
            "channel": "web",
            "touchpoint": "ad",
            "at": number,
        } | row
        row.setdefault("event_id", f"e{number}")
        row["event_time"] = START + timedelta(minutes=row.pop("at"))
        row["stage"] = _STAGES[row["touchpoint"]]
        row["event_type"] = row["touchpoint"]
        filled.append(row)
    schema = pa.schema(
        [
            pa.field("customer", pa.uint64()),
            pa.field("stage", pa.string()),
            pa.field("touchpoint", pa.string()),
            *table_schema("events", attributes=("device",)),
        ]
    )
    table = pa.Table.from_pylist(filled, schema=schema)
    for place, field in enumerate(table.schema):
        if field.type == pa.string() and field.name not in ("event_id", "transaction_id"):
            table = table.set_column(place, field.name, encode(table[field.name]))
    return table


def cut(*rows: dict[str, Any], **changes: Any) -> Cut:
    return build_touchpoints(events(*rows), config(**changes))


def test_steps_sessions_and_dwell_of_one_customer():
    """Sessions and journeys number their touchpoints from 1; dwell is the time to the journey's
    next.
    """
    result = cut(
        {"at": 0},
        {"at": 30},
        {"at": 61, "touchpoint": "buy"},
        {"at": 62},
        {"at": 63, "customer": 2},
    )
    columns = result.touchpoints.select(["session_step", "step", "dwell_s", "converts"]).to_pylist()
    assert [tuple(row.values()) for row in columns] == [
        (1, 1, 1800.0, False),
        (2, 2, 1860.0, False),
        (1, 3, None, True),
        (2, 1, None, False),
        (1, 1, None, False),
    ]
    assert result.sessions["session_duration_s"].to_pylist() == [1800.0, 60.0, 0.0]


def test_a_session_lasts_from_first_to_last_without_the_gap():
    """`session_duration_s` of a lone touchpoint is 0, and value counts conversions and refunds
    only.
    """
    result = cut(
        {"at": 0, "touchpoint": "cart", "value": Decimal(99)},
        {"at": 1, "touchpoint": "buy", "value": Decimal("10.5")},
        {"at": 2, "touchpoint": "help", "value": Decimal("-0.5")},
        {"at": 90},
    )
    assert result.sessions["session_duration_s"].to_pylist() == [120.0, 0.0]
    assert result.sessions["value"].to_pylist() == [Decimal("10.0000"), Decimal("0.0000")]
    assert result.sessions["converted"].to_pylist() == [True, False]


def test_ties_in_time_go_by_source_then_by_id():
    """The order is total: (customer, event_time, source, event_id)."""
    rows = [
        {"at": 0, "source": "web", "event_id": "b"},
        {"at": 0, "source": "web", "event_id": "B"},
        {"at": 0, "source": "till", "event_id": "z"},
        {"at": 0, "source": "web", "event_id": "10"},
        {"at": 0, "source": "web", "event_id": "9"},
    ]
    assert cut(*rows).touchpoints["event_id"].to_pylist() == ["z", "10", "9", "B", "b"]


def test_the_first_known_attribute_is_that_of_the_stretch():
    """A session's device is the first that one of its touchpoints knows."""
    result = cut(
        {}, {"device": "phone"}, {"device": "desktop"}, {"at": 99, "device": "tv"}, {"at": 199}
    )
    assert result.sessions["device"].to_pylist() == ["phone", "tv", None]


def receipt(at: int, event_id: str, number: str | None, value: str, **more: Any) -> dict[str, Any]:
    row = {
        "at": at,
        "source": "till",
        "event_id": event_id,
        "transaction_id": number,
        "touchpoint": "buy",
    }
    return row | {"value": Decimal(value)} | more


def test_lines_of_a_receipt_are_one_touchpoint():
    """Values are added, the first line's time counts, other sources and lines without a receipt
    stay.
    """
    result = cut(
        receipt(0, "l1", "r1", "1.50"),
        receipt(1, "l2", "r1", "2.25"),
        receipt(2, "l3", "r1", "-1", touchpoint="help"),
        receipt(3, "l4", None, "5"),
        {"at": 4, "source": "web", "transaction_id": "r1", "touchpoint": "buy"},
    )
    found = result.touchpoints.select(["event_id", "value", "lines"]).to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("r1/buy", Decimal("3.7500"), 2),
        ("r1/help", Decimal("-1.0000"), 1),
        ("l4", Decimal("5.0000"), 1),
        ("e4", None, 1),
    ]
    assert result.folded_lines == {"till": 1}


def test_receipts_of_two_customers_may_bear_one_number():
    """They are two touchpoints in two sessions with ids of their own."""
    result = cut(receipt(0, "a", "r1", "1"), receipt(0, "b", "r1", "2", customer=2))
    assert len(set(result.sessions["session_id"].to_pylist())) == 2


def test_folded_receipts_stand_in_the_published_order():
    """Receipts of one moment are ordered by their own ids, not by their first lines'."""
    result = cut(receipt(0, "l1", "r2", "1"), receipt(0, "l2", "r1", "1"))
    assert result.touchpoints["event_id"].to_pylist() == ["r1/buy", "r2/buy"]


def test_no_events_are_no_touchpoints():
    """Empty in, empty out, with all columns."""
    empty = build_touchpoints(events(), config())
    assert (len(empty.touchpoints), len(empty.sessions)) == (0, 0)
    assert (
        empty.touchpoints.column_names == table_schema("touchpoints", attributes=("device",)).names
    )
    assert len(summarise_journeys(empty.touchpoints, ("device",))) == 0


def test_a_journey_summarised():
    """Path collapses repeats of a stage; sessions and channels are counted; the first conversion
    is kept.
    """
    result = cut(
        {"at": 0},
        {"at": 1, "channel": "email"},
        {"at": 90, "touchpoint": "buy", "value": Decimal(7)},
        {"at": 91, "touchpoint": "buy", "value": Decimal(1)},
        {"at": 92, "touchpoint": "help"},
        {"at": 93, "touchpoint": "cart"},
    )
    first, second = summarise_journeys(result.touchpoints, ("device",)).to_pylist()
    assert first["path"] == "awareness > purchase > service"
    assert (first["sessions"], first["channels"], first["touchpoints"]) == (2, 2, 5)
    assert first["converted_at"] == START + timedelta(minutes=90)
    assert first["value"] == Decimal(8)
    assert (second["path"], second["converted"], second["converted_at"]) == (
        "consideration",
        False,
        None,
    )


def test_outcomes_wait_for_the_watermark():
    """Exactly the gap before the watermark a journey is open; a microsecond more and it has
    lapsed.
    """
    gap, watermark = timedelta(days=30), START + timedelta(days=60)
    ended = [watermark - gap, watermark - gap - timedelta(microseconds=1), START]
    journeys = pa.table(
        {"converted": [False, False, True], "ended_at": pa.array(ended, pa.timestamp("us", "UTC"))}
    )
    assert outcomes(journeys, watermark, gap).to_pylist() == ["open", "lapsed", "converted"]


ROW = st.fixed_dictionaries(
    {
        "customer": st.integers(1, 3),
        "at": st.integers(0, 12).map(lambda step: step * 10),
        "source": st.sampled_from(["web", "till"]),
        "touchpoint": st.sampled_from(list(_STAGES)),
        "device": st.sampled_from([None, "phone", "tv"]),
        "transaction_id": st.sampled_from([None, "r1", "r2"]),
        "value": st.sampled_from([None, Decimal("1.25"), Decimal("-3")]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=25), st.randoms(use_true_random=False))
def test_random_touchpoints_equal_the_sql_oracle_in_any_order(
    rows: list[dict[str, Any]], chance: Any
):
    """Sessions and journeys are what window functions and a recursive walk make of the
    touchpoints, and nothing depends on the order of the rows.
    """
    rows = [row | {"event_id": f"e{n:02d}"} for n, row in enumerate(rows)]
    project = config(session={"gap": "20m"}, journey={"gap": "50m", "conversion": ["buy"]})
    result = build_touchpoints(events(*rows), project)
    journeys = summarise_journeys(result.touchpoints, ("device",))
    shuffled = list(rows)
    chance.shuffle(shuffled)
    again = build_touchpoints(events(*shuffled), project)
    assert again.touchpoints.to_pylist() == result.touchpoints.to_pylist()
    assert again.sessions.to_pylist() == result.sessions.to_pylist()
    with duckdb.connect() as con:
        for name, table in (
            ("touchpoints", result.touchpoints), ("sessions", result.sessions),
            ("journeys", journeys),
        ):  # fmt: skip
            con.register(name, table)
            key = TABLES[name].key
            assert len(table) == len({tuple(row.values()) for row in table.select(key).to_pylist()})
        gaps = {"gap": 20 * 60_000_000}
        assert sessions_sql.difference(con, "sessions", sessions_sql.SESSIONS, gaps) == []
        walk = {
            "gap": 50 * 60_000_000,
            "conversion": ["buy"],
            "pre_purchase": list(project.pre_purchase_stages),
        }
        assert sessions_sql.difference(con, "journeys", sessions_sql.JOURNEYS, walk) == []
        con.execute(
            "CREATE TABLE steps AS "
            "SELECT journey_id, count(*) n, max(step) top, count(DISTINCT step) d, "
            "count(dwell_s) dwells FROM touchpoints GROUP BY ALL"
        )
        assert (
            con.sql("SELECT * FROM steps WHERE n <> top OR n <> d OR dwells <> n - 1").fetchall()
            == []
        )
