"""Every record lands in exactly one of four places, with the values its declaration says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Config
from contracts.errors import ConfigError
from contracts.loading import parse_config
from models.identifiers import Pseudonymiser
from models.mapping import Mapped, map_records
from models.source_sql import Mapping, compile_mapping

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON: dict[str, Any] = {
    "paths": "x",
    "format": "jsonl",
    "channel": {"const": "web"},
    "fields": {
        "event_id": "$.id",
        "event_time": "$.t",
        "event_type": "$.e",
        "csat": "$.c",
        "value": "$.v",
    },
    "identifiers": {"user_id": "$.u"},
}
CSV: dict[str, Any] = {
    "paths": "x",
    "format": "csv",
    "channel": {"const": "web"},
    "fields": {"event_time": "t", "event_type": "e"},
    "identifiers": {"user_id": "u"},
}


def config(source: dict[str, Any], **changes: Any) -> Config:
    rules = [{"touchpoint": "x", "stage": "awareness", "when": {"source": "s"}}]
    document = {"project": "t", "sources": {"s": source}, "touchpoints": rules}
    return Config.model_validate(document | changes)


@cache
def compiled(source: str, changes: str) -> Mapping:
    return compile_mapping("s", config(json.loads(source), **json.loads(changes)))


def mapped(source: dict[str, Any], *records: Any, **changes: Any) -> Mapped:
    """Map JSON records (or their text), or rows of CSV."""
    mapping = compiled(json.dumps(source), json.dumps(changes))
    positions = pa.array(range(1, len(records) + 1), pa.int64())
    if mapping.is_json:
        texts = [r if isinstance(r, str) else json.dumps(r) for r in records]
        raw = pa.table({"@position": positions, "record": pa.array(texts, pa.string())})
    else:
        raw = pa.Table.from_pylist(list(records)).add_column(0, "@position", positions)
    return map_records(raw, mapping, now=NOW, pseudonymiser=Pseudonymiser(b"key"))


def fields(source: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return source | {"fields": source["fields"] | changes}


def micros(result: Mapped) -> list[int]:
    return result.events["event_time"].cast(pa.int64()).to_pylist()


def ok(**more: Any) -> dict[str, Any]:
    return {"id": "1", "t": "2025-05-01T10:00:00Z", "e": "a", "u": "7"} | more


def test_five_records_five_fates():
    """One accepted, one broken, one of another kind, one from the future, one without consent."""
    source = JSON | {
        "only": {"sql": "{$.e} <> 'debug'"},
        "consent": {"field": "$.ok", "granted": [True]},
    }
    result = mapped(
        source,
        ok(ok=True),
        '{"id": "2", "t": ',
        ok(ok=True, e="debug"),
        ok(ok=True, t="2031-01-01T00:00:00Z"),
        ok(ok=False),
    )
    assert result.events["event_id"].to_pylist() == ["1"]
    dead = result.dead_letters.select(["position", "reason"]).to_pylist()
    assert [tuple(row.values()) for row in dead] == [(2, "unreadable_json"), (3, "foreign_record")]
    assert result.quarantine["reason"].to_pylist() == ["in_future"]
    assert result.withheld == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"e": "a"}, "missing_event_time"),
        (ok(t="yesterday"), "bad_event_time"),
        (ok(t="infinity"), "bad_event_time"),
        (ok(e=None), "missing_event_type"),
        (ok(v="12,50"), "bad_value"),
        (ok(v="9" * 20), "bad_value"),
        (ok(c="good"), "bad_csat"),
        (ok(c="nan"), "bad_csat"),
        (ok(c="1e999"), "bad_csat"),
        ("[1]", "missing_event_time"),
        ("null", "missing_event_time"),
        ('"text"', "missing_event_time"),
        ("", "unreadable_json"),
        ('{"t": 1} {"t": 2}', "unreadable_json"),
    ],
)
def test_what_cannot_be_mapped_is_a_dead_letter_with_advice(record: Any, reason: str):
    """Each defect has a code and says what to do; a sound neighbour is not harmed."""
    result = mapped(JSON, record, ok())
    assert result.dead_letters["reason"].to_pylist() == [reason]
    assert len(result.dead_letters["message"][0].as_py()) > 20
    assert len(result.events) == 1


def test_a_dead_letter_tells_the_shape_of_a_value_and_not_the_value():
    """Messages must not carry what may be personal."""
    (message,) = mapped(JSON, ok(t="ann@example.com 0171")).dead_letters["message"].to_pylist()
    assert "xxx@xxxxxxx.xxx 9999" in message
    assert "ann" not in message


@pytest.mark.parametrize(
    ("format_", "text", "micro"),
    [
        ("iso8601", "2025-01-01T10:00:00+02:00", 1_735_718_400_000_000),
        ("iso8601", "2025-01-01 10:00:00.123456789", 1_735_725_600_123_456),
        ("epoch_s", 1735689600.5, 1_735_689_600_500_000),
        ("epoch_s", "1735689600.000001", 1_735_689_600_000_001),
        ("epoch_ms", 1735689600123, 1_735_689_600_123_000),
        ("epoch_us", "1735689600123456", 1_735_689_600_123_456),
        ("%d/%m/%Y %H:%M", "01/02/2025 00:30", 1_738_369_800_000_000),
        ("%Y-%m-%dT%H:%M:%S%z", "2025-01-01T02:00:00+02:00", 1_735_689_600_000_000),
    ],
)
def test_times_are_microseconds_of_utc(format_: str, text: Any, micro: int):
    """Every declared format, to the last microsecond."""
    source = fields(JSON, event_time={"value": "$.t", "format": format_})
    assert micros(mapped(source, ok(t=text))) == [micro]


@pytest.mark.parametrize("format_", ["iso8601", "%Y-%m-%d %H:%M:%S"])
def test_a_naive_time_takes_its_sources_zone(format_: str):
    """Summer and winter alike; a time that names its zone keeps it."""
    source = fields(JSON, event_time={"value": "$.t", "format": format_}) | {
        "timezone": "Europe/Berlin"
    }
    result = mapped(source, ok(t="2025-07-01 12:00:00"), ok(t="2025-01-01 12:00:00"))
    assert micros(result) == [1_751_364_000_000_000, 1_735_729_200_000_000]
    utc = datetime(2025, 7, 1, 10, tzinfo=UTC)
    assert result.events["event_time"].to_pylist()[0] == utc


@pytest.mark.parametrize("micro", [2**63 - 1, -(2**63), 0])
def test_absurd_times_are_held_and_break_nothing(micro: int):
    """Whatever 64 bits can say is quarantined."""
    source = fields(JSON, event_time={"value": "$.t", "format": "epoch_us"})
    assert mapped(source, ok(t=micro)).quarantine["reason"].to_pylist() in (
        ["in_future"],
        ["too_old"],
    )


def test_expressions_of_every_form():
    """Path, constant, coalesce, concat, lower, lookup and SQL give what the documentation says."""
    attributes = {
        "first": {"coalesce": ["$.a", "$.b"]},
        "joined": {"concat": ["$.b", {"const": "-'"}, "$.d.e"]},
        "small": {"lower": "$.d.e"},
        "known": {"lookup": "$.b", "map": {"x": "eks"}},
        "stars": {"sql": "{$.n} || '*'"},
        "listed": "$.list[1]",
    }
    result = mapped(
        JSON | {"attributes": attributes}, ok(a="", b="x", d={"e": "Y"}, n=3, list=["p", "q"])
    )
    (row,) = result.events.select(sorted(attributes)).to_pylist()
    assert row == {
        "first": "x",
        "joined": "x-'Y",
        "known": "eks",
        "listed": "q",
        "small": "y",
        "stars": "3*",
    }


def test_an_expression_that_fails_on_a_record_is_null_there():
    """A cast in somebody's SQL stops neither the run nor shows the value in an error."""
    source = JSON | {"attributes": {"n": {"sql": "(CAST({$.n} AS INTEGER) + 1)"}}}
    assert mapped(source, ok(n="1"), ok(n="ann@example.com")).events["n"].to_pylist() == ["2", None]


def test_a_mistake_in_sql_is_told_before_anything_is_read():
    """DuckDB's own words, with the place in the configuration."""
    with pytest.raises(ConfigError, match=r"sources\.s.*"):
        compile_mapping(
            "s", config(JSON | {"attributes": {"n": {"sql": "no_such_function({$.n})"}}})
        )


@pytest.mark.parametrize(
    "column", ["event_id", "event_type", "reason", "granted", "time_text", "record_hash", "channel"]
)
def test_columns_of_a_file_may_have_any_name(column: str):
    """A CSV column that bears a name of ours is the file's and changes nothing."""
    result = mapped(CSV, {"t": "2025-01-01", "e": "a", "u": "7", column: "theirs"})
    (row,) = result.events.to_pylist()
    assert (len(row["event_id"]), row["event_type"], row["channel"]) == (64, "a", "web")


def test_a_column_that_a_file_lacks_is_null():
    """Files of one source may differ in their columns."""
    result = mapped(CSV, {"t": "2025-01-01", "e": "a"})
    assert result.events["id_user_id"].to_pylist() == [None]


def test_without_id_the_content_names_the_event():
    """The same record has the same id; spacing of JSON makes no other record, a value does."""
    source = JSON | {"fields": {k: v for k, v in JSON["fields"].items() if k != "event_id"}}
    one, spaced, other = mapped(
        source,
        '{"t":"2025-01-01","e":"a"}',
        '{ "t": "2025-01-01", "e":"a" }',
        '{"t":"2025-01-01","e":"a","z":1}',
    ).events["event_id"].to_pylist()  # fmt: skip
    assert one == spaced != other
    assert len(one) == 64


def test_pages_lose_their_query_and_texts_their_blanks():
    """What follows ? or # may hold anything and is cut, line ends and all."""
    source = fields(JSON, page="$.p", transaction_id="$.x", currency="$.y")
    pages = ["/a?mail=ann@example.com", "/b#x", "/c?x\nann@example.com", " ", "/d"]
    result = mapped(source, *(ok(p=p, x="", y=" EUR ") for p in pages))
    assert result.events["page"].to_pylist() == ["/a", "/b", "/c", None, "/d"]
    assert result.events["transaction_id"].to_pylist() == [None] * 5
    assert result.events["currency"].to_pylist() == ["EUR"] * 5


def test_money_is_exact():
    """Values are decimals of four places."""
    assert mapped(JSON, ok(v="0.1"), ok(v=-2)).events["value"].to_pylist() == [
        Decimal("0.1000"),
        Decimal("-2.0000"),
    ]


def test_consent_that_is_not_stated_withholds_unless_declared_otherwise():
    """Granted values are compared without case; a missing answer follows `missing`."""
    source = JSON | {"consent": {"field": "$.ok", "granted": ["yes"]}}
    assert mapped(source, ok(ok="YES"), ok(ok="no"), ok()).withheld == 2
    lenient = JSON | {"consent": {"field": "$.ok", "granted": ["yes"], "missing": "accept"}}
    assert mapped(lenient, ok(ok="YES"), ok(ok="no"), ok()).withheld == 1


def test_no_records_are_no_error():
    """An empty slice maps to empty tables with all columns."""
    result = mapped(JSON)
    assert (len(result.events), len(result.dead_letters), len(result.quarantine)) == (0, 0, 0)
    assert "id_user_id" in result.events.column_names


SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
RECORD = st.dictionaries(st.sampled_from("iteucv"), SCALAR) | SCALAR | st.lists(SCALAR, max_size=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORD | st.text(max_size=12), max_size=8))
def test_any_records_are_all_accounted_for(records: list[Any]):
    """Events, dead letters, quarantined and withheld are all records, whatever they hold."""
    source = JSON | {"consent": {"field": "$.u"}}
    result = mapped(source, *records)
    places = (result.events, result.dead_letters, result.quarantine)
    assert sum(map(len, places)) + result.withheld == len(records)
    assert result.events["event_id"].null_count == 0


BROKEN = st.text(st.sampled_from('{}[]":,te1\\u\n '), max_size=9).map(lambda t: "{" + t + "}")


@settings(max_examples=60, deadline=None)
@given(st.lists(BROKEN, min_size=1, max_size=4))
def test_a_line_that_only_looks_like_json_changes_nothing_for_its_neighbours(lines: list[str]):
    """A record's fate is what it is alone, whatever stands beside it."""
    records = [*lines, json.dumps(ok(id="8")), json.dumps(ok(id="9"))]
    together = mapped(JSON, *records)
    alone = [mapped(JSON, record) for record in records]
    for place in ("events", "dead_letters"):
        rows = [row for one in alone for row in getattr(one, place).to_pylist()]
        found = getattr(together, place).to_pylist()
        assert [row | {"position": 0} for row in found] == [row | {"position": 0} for row in rows]


def test_a_file_may_call_its_columns_as_we_call_ours() -> None:
    """Columns named position, place or record are data like any other."""
    document = {
        "project": "x",
        "sources": {
            "s": {
                "paths": "x.csv",
                "format": "csv",
                "channel": {"const": "web"},
                "fields": {"event_time": "at", "event_type": "record", "page": "place"},
                "identifiers": {"user_id": "position"},
            }
        },
        "touchpoints": [{"touchpoint": "purchase", "stage": "purchase", "when": {"source": "s"}}],
    }
    mapping = compile_mapping("s", parse_config(document, Path()))
    raw = pa.table(
        {
            "@position": [1],
            "position": ["u7"],
            "place": ["/p"],
            "record": ["sale"],
            "at": ["2026-01-01"],
        }
    )
    (event,) = map_records(raw, mapping, now=datetime(2026, 2, 1, tzinfo=UTC)).events.to_pylist()
    assert (event["id_user_id"], event["page"], event["event_type"]) == ("u7", "/p", "sale")
