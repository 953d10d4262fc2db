"""Every preset maps its vendor's payloads, and makes dead letters, not crashes, of all others.

The expected values are worked out by hand from the payloads.
"""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from contracts.config import Config, Rule, default_stages
from contracts.loading import parse_config, preset, preset_names
from footpath.generator import Scenario, generate
from models.identifiers import Pseudonymiser
from models.mapping import Mapped, map_records
from models.source_sql import compile_mapping
from transforms.limits import Limits
from transforms.plan_files import list_files, plan_file
from transforms.read_records import read_slice

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
PAYLOADS = DATA / "payloads"
KEY = b"key of the tests"
NOW = datetime(2027, 1, 1, tzinfo=UTC)
PURCHASE = {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "no such"}}

needs_payloads = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="the vendors' sample payloads are not there: ../shared/data"
)
needs_snowplow_web = pytest.mark.skipif(
    not (DATA / "snowplow_web").is_dir(), reason="../shared/data/snowplow_web is not there"
)


def hashed(namespace: str, value: str) -> str:
    """The pseudonym that the privacy promise states: HMAC-SHA-256, first 128 bits."""
    return hmac.new(KEY, f"{namespace}\x1f{value}".encode(), hashlib.sha256).hexdigest()[:32]


def configured(name: str, paths: list[str] | None = None, **overrides: Any) -> Config:
    source = {"preset": name, "paths": paths or ["none"], **overrides}
    return parse_config(
        {"project": "test", "sources": {"feed": source}, "touchpoints": [PURCHASE]}, base=ROOT
    )


def mapped_table(raw: pa.Table, config: Config) -> Mapped:
    mapping = compile_mapping("feed", config)
    return map_records(raw, mapping, now=NOW, pseudonymiser=Pseudonymiser(KEY))


def mapped_files(config: Config) -> Iterator[tuple[Mapped, int, list[str]]]:
    """What becomes of the files: records mapped, their number, why some could not be read."""
    source, mapping = config.sources["feed"], compile_mapping("feed", config)
    for file in list_files(config):
        for piece in plan_file(file, config).slices:
            for batch in read_slice(piece, source, Limits(1 << 20, 1 << 20)):
                unreadable = [problem.reason for problem in batch.unreadable]
                mapped = map_records(
                    batch.table, mapping, now=NOW, pseudonymiser=Pseudonymiser(KEY)
                )
                yield mapped, len(batch.table), unreadable


def outcome(name: str, *paths: Path, **overrides: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Events, without what is null or the same for all, and the reasons of dead letters."""
    events: list[dict[str, Any]] = []
    reasons: list[str] = []
    for mapped, _, unreadable in mapped_files(
        configured(name, [str(p) for p in paths], **overrides)
    ):
        events += [_plain(row) for row in mapped.events.to_pylist()]
        reasons += unreadable + mapped.dead_letters["reason"].to_pylist()
    return events, reasons


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Times and money as text, as they would be written; an id made of the record as 'sha256'."""
    plain = {k: v for k, v in row.items() if v is not None and k not in ("source", "record_hash")}
    if plain["ingest_time"] == plain["event_time"]:
        del plain["ingest_time"]
    for key in ("event_time", "ingest_time"):
        if key in plain:
            plain[key] = plain[key].isoformat(sep=" ").removesuffix("+00:00")
    if "value" in plain:
        plain["value"] = str(plain["value"].normalize())
    if re.fullmatch("[0-9a-f]{64}", plain["event_id"]):
        plain["event_id"] = "sha256"
    return plain


def records_outcome(
    name: str, *records: dict[str, Any], **overrides: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    raw = pa.table(
        {
            "@position": pa.array(range(1, len(records) + 1), pa.int64()),
            "record": pa.array([json.dumps(record) for record in records]),
        }
    )
    mapped = mapped_table(raw, configured(name, **overrides))
    return (
        [_plain(row) for row in mapped.events.to_pylist()],
        mapped.dead_letters["reason"].to_pylist(),
    )


@cache
def rules(name: str) -> list[Rule]:
    return [Rule.model_validate(rule) for rule in preset(name)["touchpoints"]]


def touchpoint(name: str, **event: str) -> str | None:
    """The first rule that matches, by a matcher of the test's own; None if it says to ignore."""
    for rule in rules(name):
        if all(
            any(fnmatch.fnmatchcase(event.get(column, "").lower(), glob.lower()) for glob in globs)
            for column, globs in rule.when.items()
        ):
            return rule.touchpoint
    return "other"


# ------------------------------------------------ what all have in common


@pytest.mark.parametrize("name", preset_names())
class TestEveryPreset:
    """Promises that do not depend on the vendor."""

    def test_is_complete_but_for_its_paths(self, name: str) -> None:
        config = configured(name)
        compile_mapping("feed", config)
        assert len(config.sources["feed"].description) > 40
        assert set(preset(name)) == {"source", "touchpoints"}

    def test_uses_well_known_namespaces_and_stages(self, name: str) -> None:
        known = {"user_id", "customer_number", "email", "phone", "anonymous_id"}
        assert set(preset(name)["source"]["identifiers"]) <= known
        assert {rule.stage for rule in rules(name)} <= {*default_stages(), None}

    def test_has_its_section_in_the_documentation(self, name: str) -> None:
        text = (ROOT / "docs" / "presets.md").read_text("utf-8")
        assert re.search(rf"^## {name}$", text, re.MULTILINE)
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for part in ("fields", "identifiers", "attributes"):
            for field in preset(name)["source"][part]:
                assert f"`{field}`" in section, f"{part}.{field} is not described"


def test_a_touchpoint_belongs_to_one_stage_in_all_presets() -> None:
    stages: dict[str, set[str | None]] = {}
    for name in preset_names():
        for rule in rules(name):
            if rule.touchpoint:
                stages.setdefault(rule.touchpoint, set()).add(rule.stage)
    assert {name: found for name, found in stages.items() if len(found) > 1} == {}


def test_all_presets_work_together_in_one_project() -> None:
    sources = {name: {"preset": name, "paths": ["none"]} for name in preset_names()}
    config = parse_config({"project": "all", "sources": sources}, base=ROOT)
    assert {"campaign", "country", "device", "medium"} <= set(config.attributes)
    for name in preset_names():
        compile_mapping(name, config)


# ------------------------------------------------ segment

JEN = {
    "event_time": "2015-02-23 22:28:55.111000",
    "ingest_time": "2015-02-23 22:28:55.387000",
    "event_id": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
    "channel": "web",
    "device": "desktop",
    "id_user_id": "97980cfea0067",
    "id_anonymous_id": "507f191e810c19729de860ea",
}
ACADEMY = {
    "event_time": "2015-12-12 19:11:01.249000",
    "ingest_time": "2015-12-12 19:11:01.266000",
    "event_id": "ajs-f8ca1e4de5024d9430b3928bd8ac6b96",
    "channel": "web",
    "device": "desktop",
    "page": "/academy/",
    "id_user_id": "AiUGstSDIg",
    "id_anonymous_id": "23adfd82-aa0f-45a7-a756-24f2a7a4c895",
}
SEGMENT_CALLS = {
    "common_00": {
        "event_time": "2015-12-10 04:08:31.905000",
        "ingest_time": "2015-12-10 04:08:31.909000",
        "event_id": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        "event_type": "Report Submitted",
        "channel": "app",
        "device": "mobile",
        "page": "/academy/",
        "campaign": "TPS Innovation Newsletter",
        "medium": "email",
        "id_user_id": "97980cfea0067",
        "id_anonymous_id": "507f191e810c19729de860ea",
    },
    "alias_01": JEN
    | {
        "event_type": "alias",
        "id_user_id": "507f191e81",
        "id_anonymous_id": "39239-239239-239239-23923",
    },
    "group_01": JEN | {"event_type": "group"},
    "identify_01": JEN
    | {"event_type": "identify", "id_email": hashed("email", "peter@example.com")},
    "page_01": JEN | {"event_type": "page Home", "page": "/"},
    "screen_01": {k: v for k, v in JEN.items() if k != "device"}
    | {
        "event_type": "screen Home",
        "channel": "app",
        "id_anonymous_id": "3a12eab0-bca7-11e4-8dfc-aa07a5b093db",
    },
    "track_01": ACADEMY | {"event_type": "Course Clicked"},
    "track_02": ACADEMY | {"event_type": "Button Clicked"},
}
SEGMENT_EXCERPTS = {
    "alias_00": ("alias", "web", None),
    "b2b-saas_00": ("Account Created", "web", "sign_up"),
    "b2b-saas_01": ("Account Deleted", "web", "account_deleted"),
    "b2b-saas_02": ("Signed Up", "web", "sign_up"),
    "b2b-saas_03": ("Signed In", "web", None),
    "b2b-saas_04": ("Signed Out", "web", None),
    "b2b-saas_05": ("Invite Sent", "web", "share"),
    "b2b-saas_06": ("Account Added User", "web", None),
    "b2b-saas_07": ("Account Removed User", "web", None),
    "b2b-saas_08": ("Trial Started", "web", "sign_up"),
    "b2b-saas_09": ("Trial Ended", "web", "trial_end"),
    "email_00": ("Email Bounced", "email", "email_bounce"),
    "email_01": ("Email Delivered", "email", "email_sent"),
    "email_02": ("Email Link Clicked", "email", "email_click"),
    "email_03": ("Email Marked as Spam", "email", "complaint"),
    "email_04": ("Email Opened", "email", "email_open"),
    "email_05": ("Unsubscribed", "email", "unsubscribe"),
    "group_00": ("group", "web", None),
    "identify_00": ("identify", "web", None),
    "live-chat_00": ("Live Chat Conversation Started", "support", "support_chat"),
    "live-chat_01": ("Live Chat Message Sent", "support", None),
    "live-chat_02": ("Live Chat Message Received", "support", None),
    "mobile_00": ("Application Installed", "app", "app_install"),
    "mobile_01": ("Application Opened", "app", "app_open"),
    "mobile_02": ("Application Backgrounded", "app", None),
    "mobile_03": ("Application Foregrounded", "app", None),
    "mobile_04": ("Application Updated", "app", None),
    "mobile_05": ("Application Uninstalled", "app", "account_deleted"),
    "mobile_06": ("Application Crashed", "app", "app_crash"),
    "mobile_07": ("Install Attributed", "app", None),
    "mobile_08": ("Push Notification Received", "app", "push_sent"),
    "mobile_09": ("Push Notification Tapped", "app", "push_click"),
    "mobile_10": ("Push Notification Bounced", "app", None),
    "mobile_11": ("Deep Link Opened", "app", "app_open"),
    "mobile_12": ("Deep Link Clicked", "app", "app_open"),
    "page_00": ("page Home", "web", "home"),
    "screen_00": ("screen Home", "app", "home"),
    "track_00": ("User Registered", "web", "sign_up"),
}
SEGMENT_COMMON = {
    "type": "track",
    "messageId": "m-1",
    "timestamp": "2025-03-04T05:06:07.000Z",
    "receivedAt": "2025-03-04T05:06:08.000Z",
}


@needs_payloads
class TestSegment:
    """Calls of the Segment Spec."""

    def test_no_payload_is_left_out(self) -> None:
        files = {path.stem for path in (PAYLOADS / "segment").glob("*.json")}
        assert files == {*SEGMENT_CALLS, *SEGMENT_EXCERPTS}

    @pytest.mark.parametrize("name", SEGMENT_CALLS)
    def test_a_whole_call_is_mapped(self, name: str) -> None:
        events, reasons = outcome("segment", PAYLOADS / "segment" / f"{name}.json", format="json")
        assert (events, reasons) == ([SEGMENT_CALLS[name]], [])

    @pytest.mark.parametrize("name", SEGMENT_EXCERPTS)
    def test_an_excerpt_is_mapped_once_it_has_the_common_fields(self, name: str) -> None:
        excerpt = json.loads((PAYLOADS / "segment" / f"{name}.json").read_text())
        event_type, channel, expected = SEGMENT_EXCERPTS[name]
        (event,), reasons = records_outcome("segment", SEGMENT_COMMON | excerpt)
        assert reasons == []
        assert (event["event_type"], event["channel"]) == (event_type, channel)
        assert (event["event_id"], event["event_time"], event["ingest_time"]) == (
            "m-1", "2025-03-04 05:06:07", "2025-03-04 05:06:08",
        )  # fmt: skip
        assert touchpoint("segment", event_type=event_type) == expected
        if "userId" in excerpt:
            assert event["id_user_id"] == excerpt["userId"]

    @pytest.mark.parametrize("name", SEGMENT_EXCERPTS)
    def test_an_excerpt_without_time_is_a_dead_letter(self, name: str) -> None:
        events, reasons = outcome("segment", PAYLOADS / "segment" / f"{name}.json", format="json")
        spelled_otherwise = name.startswith(("email_", "live-chat_"))  # action for type, no time
        assert events == []
        assert reasons == ["foreign_record" if spelled_otherwise else "missing_event_time"]

    def test_campaigns_of_messages_and_identifiers_of_traits(self) -> None:
        excerpts = {
            name: json.loads((PAYLOADS / "segment" / f"{name}.json").read_text())
            for name in ("email_04", "mobile_09", "identify_00", "group_00", "alias_00")
        }
        events, _ = records_outcome(
            "segment", *(SEGMENT_COMMON | excerpt for excerpt in excerpts.values())
        )
        email, push, identify, group, alias = events
        assert email["campaign"] == "New Customer Discount"
        assert email["id_email"] == hashed("email", "pgibbons@example.com")
        assert push["campaign"] == "Referral Flow"
        assert identify["id_email"] == hashed("email", "peter@example.com")
        assert "id_email" not in group
        assert alias["id_user_id"] == "507f191e81"
        assert alias["id_anonymous_id"] == hashed("anonymous_id", "jen@email.com")


def track(event: str, **properties: Any) -> dict[str, Any]:
    return SEGMENT_COMMON | {"userId": "u", "event": event, "properties": properties}


def test_segment_orders_move_money_and_other_events_do_not() -> None:
    events, reasons = records_outcome(
        "segment",
        track("Order Completed", order_id="o1", total=27.5, revenue=25.0, currency="USD"),
        track("Order Completed", order_id="o2", revenue="25.00", currency="USD"),
        track("Order Refunded", order_id="o1", total=30, currency="USD"),
        track("Product Added", price=18.99, currency="USD"),
    )
    assert reasons == []
    assert [e.get("value") for e in events] == ["27.5", "25", "-3E+1", None]
    assert [e.get("transaction_id") for e in events] == ["o1", "o2", "o1", None]
    assert [e["currency"] for e in events] == ["USD"] * 4


@pytest.mark.parametrize(
    ("record", "event_type", "expected"),
    [
        (track("Products Searched", query="blue roses"), "Products Searched", "search"),
        (track("Product List Viewed"), "Product List Viewed", "product_list"),
        (track("Product Viewed"), "Product Viewed", "product_view"),
        (track("Product Added"), "Product Added", "add_to_cart"),
        (track("Cart Viewed"), "Cart Viewed", "cart_view"),
        (track("Checkout Started"), "Checkout Started", "checkout"),
        (
            track("Checkout Step Viewed", step=3, step_name="shipping"),
            "Checkout Step Viewed shipping",
            "shipping",
        ),
        (
            track("Checkout Step Completed", step=2, step_name="address"),
            "Checkout Step Completed address",
            "address",
        ),
        (
            track("Checkout Step Viewed", step=5, step_name="review"),
            "Checkout Step Viewed review",
            "order_review",
        ),
        (track("Checkout Step Viewed", step=2), "Checkout Step Viewed 2", "checkout"),
        (track("Payment Info Entered"), "Payment Info Entered", "payment"),
        (track("Payment Failed"), "Payment Failed", "payment_failed"),
        (track("Order Completed"), "Order Completed", "purchase"),
        (track("Order Cancelled"), "Order Cancelled", "order_cancelled"),
        (track("Order Refunded"), "Order Refunded", "return"),
        (track("Coupon Applied"), "Coupon Applied", "coupon"),
        (track("Coupon Denied"), "Coupon Denied", "coupon_denied"),
        (track("Promotion Clicked"), "Promotion Clicked", "promotion"),
        (track("Product Added to Wishlist"), "Product Added to Wishlist", "wishlist"),
        (track("Product Shared"), "Product Shared", "share"),
        (track("Product Reviewed", rating="5.0"), "Product Reviewed", "review"),
        (
            SEGMENT_COMMON | {"type": "page", "name": "Order Status"},
            "page Order Status",
            "order_status",
        ),
        (SEGMENT_COMMON | {"type": "page", "name": "Landing"}, "page Landing", "ad_landing"),
        (SEGMENT_COMMON | {"type": "page", "name": "Imprint"}, "page Imprint", "page_view"),
        (SEGMENT_COMMON | {"type": "page"}, "page", "page_view"),
        (track("Something of our own"), "Something of our own", "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_segment_events_become_touchpoints(
    record: dict[str, Any], event_type: str, expected: str
) -> None:
    (event,), _ = records_outcome("segment", record)
    assert event["event_type"] == event_type
    assert touchpoint("segment", event_type=event_type) == expected


def test_segment_ratings_are_scaled_and_bad_ones_refused() -> None:
    events, reasons = records_outcome(
        "segment",
        track("Product Reviewed", rating=5),
        track("Product Reviewed", rating="4.0"),
        track("Product Reviewed", rating=1),
        track("Product Viewed", rating=2),
        track("Product Reviewed", rating="great"),
    )
    assert [e.get("csat") for e in events] == [1.0, 0.75, 0.0, None]
    assert reasons == ["bad_csat"]


def test_segment_withholds_where_analytics_consent_is_refused() -> None:
    def with_consent(**preferences: bool) -> dict[str, Any]:
        return track("Cart Viewed") | {"context": {"consent": {"categoryPreferences": preferences}}}

    records = [
        with_consent(Analytics=True),
        with_consent(Analytics=False, Advertising=True),
        with_consent(Advertising=False),
        track("Cart Viewed"),
    ]
    raw = pa.table({"@position": [1, 2, 3, 4], "record": [json.dumps(r) for r in records]})
    mapped = mapped_table(raw, configured("segment"))
    assert (len(mapped.events), mapped.withheld) == (3, 1)


@pytest.mark.parametrize(
    ("context", "device"),
    [
        ({"device": {"type": "ios"}}, "mobile"),
        ({"device": {"type": "Tablet"}}, "tablet"),
        ({"userAgent": "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) Version/18.5"}, "tablet"),
        ({"userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) Mobile/15E148"}, "mobile"),
        ({"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"}, "desktop"),
        ({}, None),
    ],
)
def test_segment_devices_are_named_as_elsewhere(
    context: dict[str, Any], device: str | None
) -> None:
    (event,), _ = records_outcome("segment", track("Cart Viewed") | {"context": context})
    assert event.get("device") == device


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://shop.example/a/b?token=secret#x", "/a/b"),
        ("http://www.example.com", "/"),
        ("https://shop.example?next=/a", "/"),
        ("/a/b?c", "/a/b"),
    ],
)
def test_pages_are_paths_without_query(url: str, page: str) -> None:
    (event,), _ = records_outcome(
        "segment", SEGMENT_COMMON | {"type": "page", "properties": {"url": url}}
    )
    assert event["page"] == page


# ------------------------------------------------ snowplow


@needs_payloads
def test_snowplow_maps_the_enriched_event() -> None:
    events, reasons = outcome("snowplow", PAYLOADS / "snowplow" / "enriched_event.tsv")
    assert reasons == []
    assert events == [
        {
            "event_id": "c6ef3124-b53a-4b13-a233-0088f79dcbcb",
            "event_time": "2013-11-26 00:03:57.886000",
            "ingest_time": "2013-11-26 00:02:05",
            "event_type": "link_click",
            "channel": "web",
            "page": "/product/index.html",
            "country": "US",
            "id_user_id": hashed("user_id", "jon.doe@email.com"),
            "id_email": hashed("email", "jon.doe@email.com"),
            "id_anonymous_id": "bc2e92ec6c204a14",
        }
    ]


@needs_payloads
def test_snowplow_lists_the_fields_of_the_analytics_sdk() -> None:
    fields = json.loads((PAYLOADS / "snowplow" / "enriched_event_fields.json").read_text())
    assert preset("snowplow")["source"]["columns"] == fields
    assert len(fields) == 131


@needs_snowplow_web
def test_snowplow_reads_the_warehouse_table_too() -> None:
    events, reasons = outcome(
        "snowplow",
        DATA / "snowplow_web" / "source" / "snowplow_web_events.csv",
        format="csv",
        columns=None,
        quoting=True,
    )
    assert (len(events), reasons) == (93, [])
    assert events[0] == {
        "event_id": "9e983d4a-e07c-4858-8e97-bdb7feb31241",
        "event_time": "2021-03-03 21:27:32.695000",
        "ingest_time": "2021-03-03 21:27:32.696000",
        "event_type": "link_click",
        "channel": "web",
        "page": "/",
        "country": "AU",
        "device": "desktop",
        "id_user_id": "dupe: event_id different collector_tstamp",
        "id_anonymous_id": "5d27ff97148de9e5f1c23e8fd0a4382c06852969f6495def03c66599e676f449",
    }
    counts: dict[str, int] = {}
    for event in events:
        counts[event["event_type"]] = counts.get(event["event_type"], 0) + 1
    assert counts == {
        "page_view": 49, "snplow_cookies": 16, "link_click": 10, "page_ping": 7,
        "authentication login": 6, "data_structures_workflow": 4, "object_click": 1,
    }  # fmt: skip
    campaigns = [event["campaign"] for event in events if "campaign" in event]
    assert (campaigns.count("data-utilization"), len(campaigns)) == (8, 12)


def snowplow_table(*rows: dict[str, str]) -> pa.Table:
    columns = preset("snowplow")["source"]["columns"]
    common = {
        "event_id": "e", "event_vendor": "com.snowplowanalytics.snowplow", "platform": "web",
        "collector_tstamp": "2025-03-04 05:06:07.000", "domain_userid": "d",
    }  # fmt: skip
    whole = [dict.fromkeys(columns, "") | common | row for row in rows]
    positions = pa.array(range(1, len(rows) + 1), pa.int64())
    return pa.table({"@position": positions} | {c: [row[c] for row in whole] for c in columns})


def ecommerce_action(kind: str, **entities: dict[str, Any]) -> dict[str, str]:
    vendor = "iglu:com.snowplowanalytics.snowplow"
    action = {"schema": f"{vendor}.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2"}
    event = {"data": action | {"data": {"type": kind}}}
    data = [
        {"schema": f"{vendor}.ecommerce/{name}/jsonschema/1-0-0", "data": entity}
        for name, entity in entities.items()
    ]
    return {
        "event": "unstruct",
        "event_name": "snowplow_ecommerce_action",
        "unstruct_event": json.dumps(event),
        "contexts": json.dumps({"data": data}),
    }


def test_snowplow_reads_ecommerce_actions_and_structured_events() -> None:
    bought = {"transaction_id": "T1", "revenue": 12.5, "currency": "EUR"}
    refunded = {"transaction_id": "T1", "refund_amount": 2.5, "currency": "EUR"}
    raw = snowplow_table(
        ecommerce_action("add_to_cart", product={"id": "p"}),
        ecommerce_action("transaction", product={"id": "p"}, transaction=bought),
        ecommerce_action("refund", refund=refunded),
        {
            "event": "struct",
            "event_name": "event",
            "se_category": "shop",
            "se_action": "add-to-basket",
        },
        {
            "event": "transaction",
            "event_name": "transaction",
            "tr_orderid": "T2",
            "tr_total": "7.00",
        },
        {
            "event": "unstruct",
            "event_name": "snowplow_ecommerce_action",
            "unstruct_event": "{broken",
        },
    )
    mapped = mapped_table(raw, configured("snowplow"))
    events = [_plain(row) for row in mapped.events.to_pylist()]
    assert len(mapped.dead_letters) == 0
    found = [
        (e["event_type"], e.get("value"), e.get("transaction_id"), e.get("currency"))
        for e in events
    ]
    assert found == [
        ("add_to_cart", None, None, None),
        ("transaction", "12.5", "T1", "EUR"),
        ("refund", "-2.5", "T1", "EUR"),
        ("shop add-to-basket", None, None, None),
        ("transaction", "7", "T2", None),
        ("snowplow_ecommerce_action", None, None, None),
    ]
    assert [touchpoint("snowplow", event_type=e["event_type"]) for e in events] == [
        "add_to_cart", "purchase", "return", "add_to_cart", "purchase", "other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event_type", "page", "expected"),
    [
        ("page_view", "/", "home"),
        ("page_view", "/cart", "cart_view"),
        ("page_view", "/about", "page_view"),
        ("page_ping", "/", None),
        ("link_click", "/", None),
        ("product_view", "/p/1", "product_view"),
        ("checkout_step", "/checkout", "checkout"),
    ],
)
def test_snowplow_events_become_touchpoints(
    event_type: str, page: str, expected: str | None
) -> None:
    assert touchpoint("snowplow", event_type=event_type, page=page) == expected


# ------------------------------------------------ ga4


@needs_payloads
def test_ga4_maps_a_row_of_the_bigquery_export() -> None:
    events, reasons = outcome("ga4", PAYLOADS / "ga4" / "bigquery_export_row_0.json", format="json")
    assert reasons == []
    assert events == [
        {
            "event_id": "sha256",
            "event_time": "2021-04-06 06:49:50.431476",
            "event_type": "first_visit",
            "channel": "web",
            "page": "/blog/2016/08/25/behavior-driven-testing-drupal-8",
            "device": "desktop",
            "country": "Vietnam",
            "id_anonymous_id": "1166526666.1617691776",
        }
    ]


def ga4_row(name: str, params: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "event_timestamp": "1617691790431476",
        "event_name": name,
        "user_pseudo_id": "1.2",
        "platform": "WEB",
        "event_params": [
            {"key": key, "value": {"string_value": value}} for key, value in (params or {}).items()
        ],
        **fields,
    }


def test_ga4_purchases_and_refunds_move_money() -> None:
    events, reasons = records_outcome(
        "ga4",
        ga4_row(
            "purchase",
            {"currency": "EUR", "page_location": "https://shop.example/thanks?order=1"},
            ecommerce={"transaction_id": "T1", "purchase_revenue": 19.9},
        ),
        ga4_row(
            "refund", {"currency": "EUR"}, ecommerce={"transaction_id": "T1", "refund_value": 5}
        ),
        ga4_row("add_to_cart", {"currency": "EUR"}, ecommerce={"transaction_id": "(not set)"}),
    )
    assert reasons == []
    assert [
        (e["event_type"], e.get("value"), e.get("currency"), e.get("transaction_id"), e.get("page"))
        for e in events
    ] == [
        ("purchase", "19.9", "EUR", "T1", "/thanks"),
        ("refund", "-5", "EUR", "T1", None),
        ("add_to_cart", None, None, None, None),
    ]


def test_ga4_takes_campaigns_of_the_event_and_screens_of_apps() -> None:
    collected = {"manual_campaign_name": "spring", "manual_medium": "cpc"}
    events, _ = records_outcome(
        "ga4",
        ga4_row("page_view", collected_traffic_source=collected),
        ga4_row("page_view", {"campaign": "newsletter", "medium": "email"}),
        ga4_row("page_view", traffic_source={"name": "first visit", "medium": "organic"}),
        ga4_row("screen_view", {"firebase_screen": "Basket"}, platform="ANDROID"),
    )
    assert [(e.get("campaign"), e.get("medium")) for e in events] == [
        ("spring", "cpc"), ("newsletter", "email"), (None, None), (None, None),
    ]  # fmt: skip
    assert [(e["channel"], e.get("page")) for e in events][-1] == ("app", "Basket")


def test_ga4_withholds_rows_without_analytics_storage() -> None:
    rows = [
        ga4_row("page_view", privacy_info={"analytics_storage": answer})
        for answer in ("Yes", "No", "Unset")
    ]
    raw = pa.table(
        {
            "@position": [1, 2, 3, 4],
            "record": [json.dumps(r) for r in [*rows, ga4_row("page_view")]],
        }
    )
    mapped = mapped_table(raw, configured("ga4"))
    assert (len(mapped.events), mapped.withheld) == (3, 1)


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("session_start", None),
        ("user_engagement", None),
        ("scroll", None),
        ("video_progress", None),
        ("page_view", "page_view"),
        ("view_item", "product_view"),
        ("view_item_list", "product_list"),
        ("view_search_results", "search"),
        ("add_to_cart", "add_to_cart"),
        ("view_cart", "cart_view"),
        ("begin_checkout", "checkout"),
        ("add_shipping_info", "shipping"),
        ("add_payment_info", "payment"),
        ("purchase", "purchase"),
        ("refund", "return"),
        ("our_own_event", "other"),
    ],
)
def test_ga4_events_become_touchpoints(event_type: str, expected: str | None) -> None:
    assert touchpoint("ga4", event_type=event_type, page="/x") == expected


# ------------------------------------------------ sendgrid

EXAMPLE = {
    "event_time": "2017-12-15 00:59:29",
    "channel": "email",
    "medium": "email",
    "campaign": "cat facts",
    "id_email": hashed("email", "example@test.com"),
}
READER = {"device": "desktop"}
CLICKED = {"device": "desktop", "page": "/"}
MAIL = {"channel": "email", "medium": "email"}
JOHN = MAIL | {"id_email": hashed("email", "john.doe@sendgrid.com")}
JANE = MAIL | {"id_email": hashed("email", "jane.doe@sendgrid.com")}
ANYMAIL = MAIL | {
    "event_time": "2016-04-19 19:47:30",
    "id_email": hashed("email", "recipient@example.com"),
}
SENDGRID = {
    "event_webhook_00": [
        EXAMPLE | {"event_id": "sg_event_id", "event_type": event_type, **more}
        for event_type, more in [
            ("processed", {}),
            ("deferred", {}),
            ("delivered", {}),
            ("open", READER),
            ("click", CLICKED),
            ("bounce", {}),
            ("dropped", {}),
            ("spamreport", {}),
            ("unsubscribe", {}),
            ("group_unsubscribe", CLICKED),
            ("group_resubscribe", CLICKED),
        ]
    ],
    "event_webhook_01": [
        EXAMPLE | {"event_type": "processed", "event_id": "rbtnWrG1DVDGGGFHFyun0A=="}
    ],
    "event_webhook_02": [
        EXAMPLE | {"event_type": "dropped", "event_id": "zmzJhfJgAfUSOW80yEbPyw=="}
    ],
    "event_webhook_03": [
        EXAMPLE | {"event_type": "delivered", "event_id": "rWVYmVk90MjZJ9iohOBa3w=="}
    ],
    "event_webhook_04": [
        EXAMPLE | {"event_type": "deferred", "event_id": "t7LEShmowp86DTdUW8M-GQ=="}
    ],
    "event_webhook_05": [
        EXAMPLE | {"event_type": "bounce", "event_id": "6g4ZI7SA-xmRDv57GoPIPw=="}
    ],
    "event_webhook_06": [
        EXAMPLE | {"event_type": "bounce", "event_id": "6g4ZI7SA-xmRDv57GoPIPw=="}
    ],
    "event_webhook_07": [
        EXAMPLE | READER | {"event_type": "open", "event_id": "FOTFFO0ecsBE-zxFXfs6WA=="}
    ],
    "event_webhook_08": [
        EXAMPLE | CLICKED | {"event_type": "click", "event_id": "kCAi1KttyQdEKHhdC-nuEA=="}
    ],
    "event_webhook_09": [
        EXAMPLE | {"event_type": "spamreport", "event_id": "37nvH5QBz858KGVYCM4uOA=="}
    ],
    "event_webhook_10": [
        EXAMPLE | {"event_type": "unsubscribe", "event_id": "zz_BjPgU_5pS-J8vlfB1sg=="}
    ],
    "event_webhook_11": [
        EXAMPLE
        | CLICKED
        | {"event_type": "group_unsubscribe", "event_id": "ahSCB7xYcXFb-hEaawsPRw=="}
    ],
    "event_webhook_12": [
        EXAMPLE
        | CLICKED
        | {"event_type": "group_resubscribe", "event_id": "w_u0vJhLT-OFfprar5N93g=="}
    ],
    "event_webhook_13": [
        person | {"event_type": "open", "event_id": "sha256", "event_time": "2012-05-25 17:26:55"}
        for person in (JOHN | {"campaign": "newuser"}, JANE | {"campaign": "olduser"})
    ],
    "event_webhook_14": [
        person | {"event_type": "open", "event_id": "sha256", "event_time": "2012-05-25 17:26:55"}
        for person in (JOHN | {"campaign": "newuser"}, JANE | {"campaign": "olduser"})
    ],
    "event_webhook_16": [
        JOHN
        | {
            "event_type": "click",
            "event_id": "sha256",
            "event_time": "2012-05-25 17:26:55",
            "page": "/",
            "id_user_id": "1123",
        }
    ],
    "event_webhook_20": [
        MAIL
        | READER
        | {
            "event_type": "open",
            "event_id": "sendgrid_internal_event_id",
            "event_time": "2020-06-09 18:19:12.372000",
            "campaign": "Example Single Send",
            "id_email": hashed("email", "email@example.com"),
        }
    ],
    "event_webhook_21": [
        MAIL
        | {
            "event_type": "processed",
            "event_id": "sendgrid_internal_event_id",
            "event_time": "2015-09-15 20:37:08",
            "campaign": "campaign name",
            "id_email": hashed("email", "email@example.com"),
        }
    ],
    "event_webhook_22": [
        MAIL
        | {
            "event_type": "processed",
            "event_id": "qNOzbkTuTNCdxa1eXEpnXg",
            "event_time": "2015-09-15 20:44:08",
            "campaign": "unique args ab",
            "id_email": hashed("email", "tadpole_0010@stbase-018.sjc1.sendgrid.net"),
        }
    ],
    "event_webhook_23": [
        MAIL
        | {
            "event_type": "delivered",
            "event_id": "X2M1IUfMRhuAhWM0CbmFqQ",
            "event_time": "2015-09-15 20:45:11",
            "campaign": "unique args ab",
            "id_email": hashed("email", "tadpole_0001@stbase-018.sjc1.sendgrid.net"),
        }
    ],
    "event_webhook_24": [
        MAIL
        | {
            "event_type": "unsubscribe",
            "event_id": "sha256",
            "event_time": "2013-10-03 17:47:17",
            "campaign": "Tests",
            "id_email": hashed("email", "nick@sendgrid.com"),
        }
    ],
    "event_webhook_25": [
        JOHN
        | {
            "event_type": "processed",
            "event_id": "RHFZB1IrTD2Y9Q7bUdZxUw",
            "event_time": "2015-03-26 22:39:38",
        }
    ],
    "event_webhook_26": [
        MAIL
        | {
            "event_type": "click",
            "event_id": "sendgrid_internal_event_id",
            "event_time": "2009-08-11 00:00:00",
            "campaign": "category1",
            "device": "mobile",
            "page": "/blog/news.html",
            "id_email": hashed("email", "email@example.com"),
        }
    ],
    "test_bounce_event__raw_events": [
        ANYMAIL
        | {
            "event_type": "bounce",
            "event_id": "lC0Rc-FuQmKbnxCWxX1jRQ",
            "id_email": hashed("email", "noreply@example.com"),
        }
    ],
    "test_click_event__raw_events": [
        ANYMAIL
        | CLICKED
        | {"event_type": "click", "event_id": "OTdlOGUzYjctYjc5Zi00OWE4LWE4YWUtNjIxNjk2ZTJlNGVi"}
    ],
    "test_compatibility_message_id_from_smtp_id__raw_events": [
        ANYMAIL | {"event_type": "delivered", "event_id": "nOSv8m0eTQ-vxvwNwt3fZQ"}
    ],
    "test_deferred_event__raw_events": [
        ANYMAIL
        | {
            "event_type": "deferred",
            "event_id": "b_syL5UiTvWC_Ky5L6Bs5Q",
            "event_time": "2016-04-21 01:09:50",
        }
    ],
    "test_delivered_event__raw_events": [
        ANYMAIL | {"event_type": "delivered", "event_id": "nOSv8m0eTQ-vxvwNwt3fZQ"}
    ],
    "test_dropped_bounced__raw_events": [
        EXAMPLE
        | {
            "event_type": "dropped",
            "event_id": "zmzJhfJgAfUSOW80yEbPyw==",
            "id_email": hashed("email", "example@example.com"),
        }
    ],
    "test_dropped_invalid_event__raw_events": [
        ANYMAIL
        | {
            "event_type": "dropped",
            "event_id": "3NPOePGOTkeM_U3fgWApfg",
            "id_email": hashed("email", "invalid@invalid"),
        }
    ],
    "test_dropped_unsubscribed_event__raw_events": [
        ANYMAIL
        | {
            "event_type": "dropped",
            "event_id": "oxy9OLwMTAy5EsuZn1qhIg",
            "id_email": hashed("email", "unsubscribe@example.com"),
        }
    ],
    "test_open_event__raw_events": [
        ANYMAIL
        | READER
        | {"event_type": "open", "event_id": "MjIwNDg5NTgtZGE3OC00NDI1LWFiMmMtMDUyZTU2ZmFkOTFm"}
    ],
    "test_processed_event__raw_events": [
        ANYMAIL
        | {
            "event_type": "processed",
            "event_id": "ZyjAM5rnQmuI1KFInHQ3Nw",
            "event_time": "2016-04-19 19:47:26",
            "campaign": "tag1",
        }
    ],
}
SENDGRID_NO_EVENTS = {
    "event_webhook_15": "unique arguments, as a sender writes them",
    "event_webhook_18": "body of a request to send a message",
    "event_webhook_19": "an argument alone",
}


def sendgrid_file(name: str) -> Path:
    folder = "sendgrid" if name.startswith("event_webhook") else "email_sendgrid"
    return PAYLOADS / folder / f"{name}.json"


@needs_payloads
class TestSendGrid:
    """Bodies of the Event Webhook."""

    def test_no_payload_is_left_out(self) -> None:
        folders = (PAYLOADS / "sendgrid", PAYLOADS / "email_sendgrid")
        files = {path.stem for folder in folders for path in folder.glob("*.json")}
        assert files == {*SENDGRID, *SENDGRID_NO_EVENTS, "event_webhook_17"}

    @pytest.mark.parametrize("name", SENDGRID)
    def test_a_body_is_mapped(self, name: str) -> None:
        events, reasons = outcome("sendgrid", sendgrid_file(name), format="json")
        assert (events, reasons) == (SENDGRID[name], [])

    @pytest.mark.parametrize("name", SENDGRID_NO_EVENTS)
    def test_other_json_of_the_vendor_is_a_dead_letter(self, name: str) -> None:
        assert outcome("sendgrid", sendgrid_file(name), format="json") == ([], ["foreign_record"])

    def test_an_event_of_1973_is_held_and_not_lost(self) -> None:
        config = configured("sendgrid", [str(sendgrid_file("event_webhook_17"))], format="json")
        ((mapped, records, _),) = mapped_files(config)
        (held,) = mapped.quarantine.to_pylist()
        assert (records, len(mapped.events), held["reason"]) == (1, 0, "too_old")
        assert held["event_type"] == "processed"
        assert held["event_time"] == datetime(1973, 11, 29, 21, 33, 9, tzinfo=UTC)

    def test_bodies_and_events_may_be_lines_of_one_file(self, tmp_path: Path) -> None:
        body = json.loads(sendgrid_file("event_webhook_00").read_text())
        file = tmp_path / "bodies.jsonl"
        file.write_text("\n".join([json.dumps(body), json.dumps(body[3]), json.dumps(body[:2])]))
        events, reasons = outcome("sendgrid", file)
        expected = SENDGRID["event_webhook_00"]
        assert (events, reasons) == ([*expected, expected[3], *expected[:2]], [])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("processed", None),
        ("deferred", None),
        ("dropped", None),
        ("delivered", "email_sent"),
        ("open", "email_open"),
        ("machine_open", None),
        ("click", "email_click"),
        ("bounce", "email_bounce"),
        ("spamreport", "complaint"),
        ("unsubscribe", "unsubscribe"),
        ("group_unsubscribe", "unsubscribe"),
        ("group_resubscribe", "resubscribe"),
    ],
)
def test_sendgrid_events_become_touchpoints(event: str, expected: str | None) -> None:
    machine = event == "machine_open"
    record = {
        "email": "a@example.com",
        "timestamp": 1513299569,
        "event": "open" if machine else event,
        "sg_machine_open": machine,
    }
    (mapped,), _ = records_outcome("sendgrid", record)
    assert mapped["event_type"] == event
    assert touchpoint("sendgrid", event_type=event) == expected


# ------------------------------------------------ shopify

BOB = {
    "event_id": "450789469",
    "event_time": "2008-01-10 16:00:00",
    "event_type": "order placed",
    "channel": "web",
    "transaction_id": "450789469",
    "currency": "USD",
    "country": "US",
    "id_customer_number": "207119551",
    "id_email": hashed("email", "bob.norman@hostmail.com"),
}
SHOPIFY = {
    "order": [BOB | {"value": "409.94"}],
    "orders": [BOB | {"value": "598.94", "id_phone": hashed("phone", "557734881234")}],
}
SHOPIFY_NO_ORDERS = (
    "checkouts", "customer", "events", "fulfillment", "marketing_events", "refund", "transaction",
)  # fmt: skip


def shopify_file(name: str) -> Path:
    return PAYLOADS / "shopify" / f"test__fixtures__{name}.json"


@needs_payloads
class TestShopify:
    """Orders of the Admin API and its webhooks."""

    def test_no_payload_is_left_out(self) -> None:
        files = set((PAYLOADS / "shopify").glob("*.json"))
        assert files == {shopify_file(name) for name in (*SHOPIFY, *SHOPIFY_NO_ORDERS)}

    @pytest.mark.parametrize("name", SHOPIFY)
    def test_an_order_is_mapped(self, name: str) -> None:
        assert outcome("shopify", shopify_file(name), format="json") == (SHOPIFY[name], [])

    def test_a_bare_order_is_mapped_as_a_wrapped_one(self, tmp_path: Path) -> None:
        order = json.loads(shopify_file("order").read_text())["order"]
        file = tmp_path / "webhooks.jsonl"
        file.write_text(json.dumps(order) + "\n" + json.dumps([order]) + "\n")
        assert outcome("shopify", file) == (SHOPIFY["order"] * 2, [])

    @pytest.mark.parametrize("name", SHOPIFY_NO_ORDERS)
    def test_other_resources_are_dead_letters(self, name: str) -> None:
        events, reasons = outcome("shopify", shopify_file(name), format="json")
        assert (events, set(reasons)) == ([], {"foreign_record"})


def shopify_order(**fields: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "created_at": "2025-01-02T03:00:00-05:00",
        "updated_at": "2025-01-02T03:00:01-05:00",
        "financial_status": "paid",
        "total_price": "20.00",
        "currency": "USD",
        "customer": {"id": 9},
        **fields,
    }


@pytest.mark.parametrize(
    ("changed", "event", "expected"),
    [
        ({}, ("7", "2025-01-02 08:00:00", "order placed", "2E+1", "web"), "purchase"),
        (
            {"source_name": "pos"},
            ("7", "2025-01-02 08:00:00", "order placed", "2E+1", "store"),
            "purchase",
        ),
        (
            {"processed_at": "2025-01-01T03:00:00Z"},
            ("7", "2025-01-01 03:00:00", "order placed", "2E+1", "web"),
            "purchase",
        ),
        (
            {"cancelled_at": "2025-01-03T03:00:00-05:00"},
            ("7:cancelled", "2025-01-03 08:00:00", "order cancelled", "-2E+1", "web"),
            "order_cancelled",
        ),
        (
            {"financial_status": "refunded", "refunds": [{"created_at": "2025-01-04T00:00:00Z"}]},
            ("7:refunded", "2025-01-04 00:00:00", "order refunded", "-2E+1", "web"),
            "return",
        ),
        (
            {"financial_status": "refunded", "refunds": [{"created_at": "2025-01-02T08:00:00Z"}]},
            ("7", "2025-01-02 08:00:00", "order refunded", "-2E+1", "web"),
            "return",
        ),
        ({"test": True}, ("7", "2025-01-02 08:00:00", "order test", "2E+1", "web"), None),
    ],
)
def test_shopify_tells_the_life_of_an_order(
    changed: dict[str, Any], event: tuple[str, ...], expected: str | None
) -> None:
    (found,), reasons = records_outcome("shopify", shopify_order(**changed))
    assert reasons == []
    keys = ("event_id", "event_time", "event_type", "value", "channel")
    assert tuple(found[key] for key in keys) == event
    assert touchpoint("shopify", event_type=found["event_type"]) == expected


def test_shopify_takes_the_campaign_from_the_landing_site_and_never_the_staff_as_customer() -> None:
    landing = "/?utm_campaign=spring&utm_medium=cpc&gclid=x"
    (found,), _ = records_outcome("shopify", shopify_order(landing_site=landing, user_id=799407056))
    assert (found["campaign"], found["medium"]) == ("spring", "cpc")
    assert [key for key in found if key.startswith("id_")] == ["id_customer_number"]


# ------------------------------------------------ receipts

RECEIPTS = """\
receipt_id,line_number,sold_at,amount,currency,customer_number,email,store,extra
R1,1,2025-01-02T10:00:00,12.50,EUR,77,Ann@Example.com,Berlin,x
R1,2,2025-01-02T10:00:00,3.00,EUR,77,,Berlin,x
R2,,2025-01-03T09:30:00,-12.50,EUR,,,Berlin,x
R3,1,tomorrow,1.00,EUR,77,,Berlin,x
R4,1,2025-01-03T09:30:00,"1,00",EUR,77,,Berlin,x
R5,1,2025-01-03T09:30:00,1.00
"""


def test_receipts_maps_one_line_an_item(tmp_path: Path) -> None:
    file = tmp_path / "receipts.csv"
    file.write_text(RECEIPTS)
    events, reasons = outcome("receipts", file, timezone="Europe/Berlin")
    ann = {
        "event_time": "2025-01-02 09:00:00",
        "event_type": "sale",
        "channel": "store",
        "transaction_id": "R1",
        "currency": "EUR",
        "store": "Berlin",
        "id_customer_number": "77",
    }
    assert events == [
        ann | {"event_id": "R1-1", "value": "12.5", "id_email": hashed("email", "ann@example.com")},
        ann | {"event_id": "R1-2", "value": "3"},
        {
            "event_id": "sha256",
            "event_time": "2025-01-03 08:30:00",
            "event_type": "return",
            "channel": "store",
            "transaction_id": "R2",
            "value": "-12.5",
            "currency": "EUR",
            "store": "Berlin",
        },
    ]
    assert sorted(reasons) == ["bad_event_time", "bad_value", "wrong_field_count"]
    assert touchpoint("receipts", event_type="sale") == "purchase"
    assert touchpoint("receipts", event_type="return") == "return"
    assert preset("receipts")["source"]["lines_of_receipt"] is True


def test_receipts_fields_are_renamed_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_text(
        "Bon,Zeit,Menge,Preis,Kunde\n"
        'R1,02.01.2025 10:00,2,"1,50",77\n'
        'R2,02.01.2025 10:00,two,"1,50",77\n'
    )
    source = recipe("receipts", last=True)
    events, reasons = outcome(source.pop("preset"), file, **source)
    assert reasons == ["bad_value"]
    assert events == [
        {
            "event_id": "sha256",
            "event_time": "2025-01-02 09:00:00",
            "event_type": "sale",
            "channel": "store",
            "transaction_id": "R1",
            "value": "3",
            "currency": "EUR",
            "id_customer_number": "77",
        }
    ]


# ------------------------------------------------ zendesk


def ticket(**fields: Any) -> dict[str, Any]:
    """A ticket as the Tickets API documents it."""
    return {
        "id": 35436,
        "created_at": "2025-02-03T04:05:06Z",
        "updated_at": "2025-02-04T04:05:06Z",
        "type": "incident",
        "status": "open",
        "requester_id": 20978392,
        "via": {"channel": "web"},
        "satisfaction_rating": None,
        **fields,
    }


TICKET = {
    "event_id": "35436",
    "event_time": "2025-02-03 04:05:06",
    "ingest_time": "2025-02-04 04:05:06",
    "event_type": "ticket incident",
    "channel": "support",
    "transaction_id": "35436",
    "medium": "web",
    "id_customer_number": "zendesk:20978392",
}


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({}, {}),
        ({"satisfaction_rating": {"id": 1, "score": "good", "comment": "!"}}, {"csat": 1.0}),
        ({"satisfaction_rating": {"score": "bad"}}, {"csat": 0.0}),
        ({"satisfaction_rating": {"score": "offered"}}, {}),
        ({"status": "deleted"}, {"event_type": "ticket deleted"}),
        ({"type": None}, {"event_type": "ticket"}),
        (
            {"via": {"channel": "email", "source": {"from": {"address": "A@example.com"}}}},
            {"medium": "email", "id_email": hashed("email", "a@example.com")},
        ),
        (
            {"requester": {"email": "b@example.com", "phone": "+1 410 555", "external_id": "u7"}},
            {
                "id_email": hashed("email", "b@example.com"),
                "id_phone": hashed("phone", "1410555"),
                "id_user_id": "u7",
            },
        ),
    ],
)
def test_zendesk_maps_a_ticket(changed: dict[str, Any], difference: dict[str, Any]) -> None:
    events, reasons = records_outcome("zendesk", ticket(**changed))
    assert (events, reasons) == ([TICKET | difference], [])


@pytest.mark.parametrize("nobody", ["undefined", "0000", "null", "", "-1"])
def test_zendesk_never_takes_a_null_like_for_a_requester(nobody: str) -> None:
    (found,), _ = records_outcome("zendesk", ticket(requester_id=nobody))
    assert "id_customer_number" not in found


def test_zendesk_reads_bare_and_wrapped_tickets(tmp_path: Path) -> None:
    file = tmp_path / "tickets.jsonl"
    documents = [
        ticket(),
        {"ticket": ticket()},
        {"tickets": [ticket(), ticket()], "end_of_stream": True},
        {"users": [{"id": 1}]},
    ]
    file.write_text("".join(json.dumps(document) + "\n" for document in documents))
    assert outcome("zendesk", file) == ([TICKET] * 4, ["foreign_record"])


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("ticket", "support_ticket"),
        ("ticket problem", "support_ticket"),
        ("ticket deleted", None),
        ("ticket solved", "support_solved"),
        ("ticket rated", "support_solved"),
        ("ticket unsolved", None),
    ],
)
def test_zendesk_events_become_touchpoints(event_type: str, expected: str | None) -> None:
    assert touchpoint("zendesk", event_type=event_type) == expected


# ------------------------------------------------ recipes of docs/presets.md


def recipe(title: str, last: bool = False) -> dict[str, Any]:
    """The source that docs/presets.md shows under a heading, without its paths."""
    text = (ROOT / "docs" / "presets.md").read_text("utf-8")
    section = re.split(rf"^##+ {re.escape(title)}$", text, flags=re.MULTILINE)[1]
    blocks = re.findall(
        r"```yaml\n(.*?)```", re.split(r"^#", section, flags=re.MULTILINE)[0], re.DOTALL
    )
    assert last or len(blocks) == 1
    ((_, source),) = yaml.safe_load(blocks[-1])["sources"].items()
    del source["paths"]
    return dict(source)


def recipe_outcome(title: str, *paths: Path) -> tuple[list[dict[str, Any]], list[str]]:
    source = recipe(title)
    return outcome(source.pop("preset"), *paths, **source)


@needs_payloads
def test_the_recipe_for_warehouse_tables_of_shopify() -> None:
    events, reasons = recipe_outcome(
        "Shopify orders as a warehouse table", PAYLOADS / "shopify" / "shopify_order_data.csv"
    )
    assert (len(events), reasons) == (8, [])
    assert events[1] == {
        "event_id": "2669516488801",
        "event_time": "2020-09-09 23:01:53",
        "ingest_time": "2020-09-10 15:38:26",
        "event_type": "order placed",
        "channel": "web",
        "transaction_id": "2669516488801",
        "value": "3.79",
        "currency": "GBP",
        "country": "79cba1185463850dedba31f172f1dc5b",
        "id_customer_number": "3584045351009",
    }
    assert [event["value"] for event in events] == [
        "2.8", "3.79", "5.39", "100.01", "100.02", "5E+1", "205", "1.6E+2",
    ]  # fmt: skip


@needs_payloads
def test_the_recipe_for_warehouse_tables_of_zendesk() -> None:
    events, reasons = recipe_outcome(
        "Zendesk tickets as a warehouse table", PAYLOADS / "zendesk" / "ticket_data.csv"
    )
    assert (len(events), reasons) == (10, [])
    assert events[:2] == [
        {
            "event_id": "1595",
            "event_time": "2020-02-19 01:54:52",
            "ingest_time": "2020-02-19 01:55:11",
            "event_type": "ticket deleted",
            "channel": "support",
            "transaction_id": "1595",
            "medium": "web",
            "id_customer_number": "zendesk:396331237134",
        },
        {
            "event_id": "16988",
            "event_time": "2020-12-22 00:19:23",
            "ingest_time": "2021-01-13 18:42:39",
            "event_type": "ticket",
            "channel": "support",
            "transaction_id": "16988",
            "medium": "email",
            "id_customer_number": "zendesk:1500656884401",
        },
    ]
    assert [e["event_id"] for e in events if e["event_type"] == "ticket deleted"] == [
        "1595",
        "11013",
    ]


@needs_payloads
def test_the_recipe_for_warehouse_tables_of_ga4() -> None:
    events, reasons = recipe_outcome(
        "GA4 events as a warehouse table", PAYLOADS / "ga4" / "event_data.csv"
    )
    assert reasons == []
    keys = ("event_type", "event_time", "channel", "value", "transaction_id", "device", "medium")
    assert [tuple(event.get(key) for key in keys) for event in events] == [
        ("purchase", "2024-09-10 12:35:00", "web", "29.99", "txn_123", "desktop", "organic"),
        ("add_to_cart", "2024-09-10 12:40:00", "app", None, None, "mobile", "paid_search"),
        ("scroll", "2024-09-10 12:45:00", "web", None, None, "tablet", "social"),
        ("view_item", "2024-09-10 13:05:00", "app", None, None, "mobile", None),
        ("checkout", "2024-09-10 13:15:00", "web", None, "txn_124", "desktop", "email"),
        ("begin_checkout", "2024-09-10 12:42:00", "app", None, None, "mobile", "paid_search"),
    ]
    assert [event["id_user_id"] for event in events] == [
        "user_123", "user_456", "user_789", "user_123", "user_123", "user_456",
    ]  # fmt: skip


def test_the_recipe_for_solved_tickets() -> None:
    source = recipe("When a ticket was solved, and how it was rated")
    records = [
        ticket(status="solved"),
        ticket(status="closed", satisfaction_rating={"score": "bad"}),
        ticket(),
    ]
    events, reasons = records_outcome(source.pop("preset"), *records, **source)
    assert reasons == []
    assert [(e["event_id"], e["event_time"], e["event_type"], e.get("csat")) for e in events] == [
        ("35436:solved", "2025-02-04 04:05:06", "ticket solved", None),
        ("35436:rated", "2025-02-04 04:05:06", "ticket rated", 0.0),
        ("35436:unsolved", "2025-02-04 04:05:06", "ticket unsolved", None),
    ]


def test_the_recipe_for_orders_exported_once() -> None:
    source = recipe("Shopify orders exported once")
    records = [
        shopify_order(cancelled_at="2025-01-03T03:00:00-05:00", current_total_price="0.00"),
        shopify_order(financial_status="partially_refunded", current_total_price="5.00"),
        shopify_order(),
    ]
    events, _ = records_outcome(source.pop("preset"), *records, **source)
    assert [(e["event_id"], e["event_type"], e["value"]) for e in events] == [
        ("7", "order placed", "0"), ("7", "order placed", "5"), ("7", "order placed", "2E+1"),
    ]  # fmt: skip


# ------------------------------------------------ sample data


def test_the_sample_data_is_read_whole(tmp_path: Path) -> None:
    """Each touchpoint of the planted retailer is one touchpoint of the presets, none is missed."""
    summary = generate(tmp_path / "demo", Scenario(events=3_000, seed=5))
    truth = pq.read_table(tmp_path / "demo" / "truth" / "events.parquet").to_pylist()
    planted = {(row["source"], row["event_id"]): row["touchpoint"] for row in truth}
    found: dict[tuple[str, str], set[str | None]] = {}
    for source, name in {
        "web": "segment", "email": "sendgrid", "store": "shopify", "support": "zendesk",
    }.items():  # fmt: skip
        config = configured(name, [str(tmp_path / "demo" / source / "*.jsonl")])
        records = 0
        for mapped, count, unreadable in mapped_files(config):
            records += count + len(unreadable)
            for event in mapped.events.to_pylist():
                key = (source, planted[source, event["event_id"]])
                found.setdefault(key, set()).add(touchpoint(name, event_type=event["event_type"]))
        assert records == summary.sources[source].records
    assert {key for key, names in found.items() if len(names) > 1 or "other" in names} == set()
    assert found["web", "shipping"] == {"shipping"}
    assert found["web", "login"] == {None}
    assert found["store", "store_purchase"] == {"purchase"}
    assert found["email", "email_delivered"] == {"email_sent"}


# ------------------------------------------------ bad input

WHOLE: dict[str, dict[str, Any]] = {
    "segment": track("Order Completed", order_id="o", total=1),
    "ga4": ga4_row("page_view", {"page_location": "https://shop.example/a"}),
    "sendgrid": {"email": "a@example.com", "timestamp": 1513299569, "event": "open"},
    "shopify": shopify_order(),
    "zendesk": ticket(),
}
TIME_FIELD = {
    "segment": "timestamp",
    "ga4": "event_timestamp",
    "sendgrid": "timestamp",
    "shopify": "created_at",
    "zendesk": "created_at",
}


@pytest.mark.parametrize("name", WHOLE)
class TestBadRecords:
    """No record crashes a run, and each says why it could not be used."""

    def test_a_truncated_record_is_unreadable(self, name: str) -> None:
        text = json.dumps(WHOLE[name])
        cuts = [text[:end] for end in range(1, len(text))]
        raw = pa.table({"@position": range(1, len(cuts) + 1), "record": cuts})
        mapped = mapped_table(raw, configured(name))
        assert len(mapped.events) == 0
        assert set(mapped.dead_letters["reason"].to_pylist()) == {"unreadable_json"}
        assert set(mapped.dead_letters["message"].to_pylist()) == {
            "the record is no valid JSON; have the producer send whole documents"
        }

    def test_a_time_that_is_none_is_told(self, name: str) -> None:
        key = TIME_FIELD[name]
        without = {k: v for k, v in WHOLE[name].items() if k != key}
        values: list[Any] = ["yesterday", True, {"a": 1}, [], "", None]
        odd = [WHOLE[name] | {key: value} for value in values]
        events, reasons = records_outcome(name, without, *odd)
        assert events == []
        assert reasons == [
            "missing_event_time",
            *["bad_event_time"] * 4,
            *["missing_event_time"] * 2,
        ]

    def test_a_message_shows_the_shape_of_a_bad_value_and_not_the_value(self, name: str) -> None:
        record = WHOLE[name] | {TIME_FIELD[name]: "Ann 42"}
        raw = pa.table({"@position": [1], "record": [json.dumps(record)]})
        (message,) = mapped_table(raw, configured(name)).dead_letters["message"].to_pylist()
        assert "Ann" not in message
        assert "xxx 99" in message
        assert message.endswith(
            "the time is not in the declared format; set fields.event_time.format"
        )

    def test_any_type_in_any_field_is_survived(self, name: str) -> None:
        odd: list[Any] = [
            None,
            True,
            0,
            -1.5,
            "",
            "x",
            [],
            [1],
            {},
            {"a": {"b": 1}},
            "\u0000",
            "😀" * 50,
        ]
        records = [WHOLE[name] | {key: value} for key in WHOLE[name] for value in odd]
        raw = pa.table(
            {"@position": range(1, len(records) + 1), "record": [json.dumps(r) for r in records]}
        )
        mapped = mapped_table(raw, configured(name))
        assert len(records) == (
            len(mapped.events) + len(mapped.dead_letters) + len(mapped.quarantine) + mapped.withheld
        )

    def test_json_that_is_no_object_is_foreign(self, name: str) -> None:
        texts = ["[]", "1", '"x"', "null", "true", "{}", "[{}]"]
        raw = pa.table({"@position": range(1, len(texts) + 1), "record": texts})
        mapped = mapped_table(raw, configured(name))
        assert mapped.dead_letters["reason"].to_pylist() == ["foreign_record"] * len(texts)


OWN_FOLDERS = {"sendgrid": {"sendgrid", "email_sendgrid"}}


@needs_payloads
@pytest.mark.parametrize("name", WHOLE)
def test_payloads_of_other_vendors_become_dead_letters(name: str, tmp_path: Path) -> None:
    own = OWN_FOLDERS.get(name, {name})
    foreign = [f for f in PAYLOADS.glob("*/*.json") if f.parent.name not in own]
    assert len({file.parent.name for file in foreign}) > 8
    lines = tmp_path / "foreign.jsonl"
    documents = [json.dumps(json.loads(file.read_text("utf-8"))) for file in foreign]
    lines.write_text("\n".join(documents))
    events, reasons = outcome(name, lines)
    assert events == []
    assert len(reasons) >= len(foreign)
    assert set(reasons) <= {"foreign_record", "missing_event_time"}


def _cut(line: str) -> str:
    return line[: len(line) // 2]


def _bad_time(line: str) -> str:
    fields = line.split("\t")
    fields[preset("snowplow")["source"]["columns"].index("derived_tstamp")] = "soon"
    return "\t".join(fields)


@needs_payloads
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_cut, "wrong_field_count"),
        (lambda line: line + "\tmore", "wrong_field_count"),
        (lambda line: '{"event": "page_view"}', "wrong_field_count"),
        (lambda line: "\t" * 130, "foreign_record"),
        (_bad_time, "bad_event_time"),
    ],
)
def test_bad_snowplow_lines_become_dead_letters(
    tmp_path: Path, spoil: Callable[[str], str], reason: str
) -> None:
    whole = (PAYLOADS / "snowplow" / "enriched_event.tsv").read_text().rstrip("\n")
    file = tmp_path / "events.tsv"
    file.write_text(f"{whole}\n{spoil(whole)}\n{whole}\n")
    events, reasons = outcome("snowplow", file)
    assert (len(events), reasons) == (2, [reason])
