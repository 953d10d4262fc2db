"""A configuration is completed from presets, and its mistakes are told all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.config import Config
from contracts.errors import ConfigError
from contracts.loading import load_config, parse_config, preset, preset_names

PLAIN = """
project: shop
sources:
  web:
    paths: web/*.jsonl
    format: jsonl
    channel: {const: web}
    fields: {event_time: $.at, event_type: $.what}
    identifiers: {user_id: $.user}
touchpoints:
  - {touchpoint: purchase, stage: purchase, when: {event_type: order}}
"""

PRESET = """
project: shop
sources:
  web: {preset: segment, paths: web/*.jsonl}
"""


def parsed(text: str) -> Config:
    return parse_config(yaml.safe_load(text), base=Path("/data"))


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        parsed(text)
    assert refusal.value.exit_code == 3
    return [str(problem) for problem in refusal.value.problems]


def test_the_smallest_configuration_has_the_documented_defaults() -> None:
    config = parsed(PLAIN)
    assert config.stages == (
        "awareness", "consideration", "purchase", "service", "loyalty", "advocacy",
    )  # fmt: skip
    assert config.session.gap.total_seconds() == 1800
    assert config.journey.gap.days == 30
    assert config.journey.conversion == ("purchase",)
    assert config.pre_purchase_stages == ("awareness", "consideration")
    assert config.namespaces == ("user_id",)
    assert not config.has_personal_identifiers


def test_paths_are_taken_from_the_file_s_folder(tmp_path: Path) -> None:
    file = tmp_path / "footpath.yml"
    file.write_text(PLAIN.replace("web/*.jsonl", "[web/*.jsonl, /abs/x.jsonl, 's3://b/x.jsonl']"))
    config = load_config(file)
    assert config.sources["web"].paths == (
        str(tmp_path / "web/*.jsonl"), "/abs/x.jsonl", "s3://b/x.jsonl",
    )  # fmt: skip
    assert config.warehouse == tmp_path / "warehouse"


def test_a_preset_fills_what_the_source_leaves_out() -> None:
    config = parsed(PRESET)
    web = config.sources["web"]
    assert web.format == "jsonl"
    assert config.namespaces == ("user_id", "email", "phone", "anonymous_id")
    assert config.has_personal_identifiers
    assert all(rule.when["source"] == ("web",) for rule in config.touchpoints)


def test_a_preset_is_overridden_field_by_field_and_null_removes() -> None:
    config = parsed("""
project: shop
sources:
  web:
    preset: segment
    paths: web/*.jsonl
    fields: {event_time: $.originalTimestamp, csat: null}
    identifiers: {phone: null, customer_number: $.traits.club}
    attributes: {country: {const: DE}}
    consent: null
""")
    own, base = config.sources["web"], parsed(PRESET).sources["web"]
    assert own.fields.event_time.value.model_dump() == {"ref": "$.originalTimestamp"}
    assert own.fields.csat is None
    assert own.fields.event_type == base.fields.event_type
    assert set(own.identifiers) == {"user_id", "email", "anonymous_id", "customer_number"}
    assert own.attributes["country"].model_dump() == {"const": "DE"}
    assert own.attributes["device"] == base.attributes["device"]
    assert own.consent is None


def test_own_rules_come_before_a_preset_s() -> None:
    own = "touchpoints:\n  - {touchpoint: hello, stage: awareness, when: {event_type: page Home}}\n"
    config = parsed(PRESET + own)
    assert config.touchpoints[0].touchpoint == "hello"
    assert config.touchpoints[1:] == parsed(PRESET).touchpoints


def test_two_sources_may_share_a_preset() -> None:
    config = parsed(PRESET + "  app: {preset: segment, paths: app/*.jsonl}\n")
    sources = [rule.when["source"] for rule in config.touchpoints]
    half = len(sources) // 2
    assert sources == [("web",)] * half + [("app",)] * half


def test_a_preset_is_read_afresh_each_time() -> None:
    preset("segment")["source"]["fields"].clear()
    assert preset("segment")["source"]["fields"]


ALLOWED_PRESETS = ", ".join(preset_names())

CASES: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", ["file: is empty or no mapping\n    see 'footpath init'"]),
    "a list": ("[1]", ["file: is empty or no mapping\n    see 'footpath init'"]),
    "several at once": (
        PLAIN.replace("project: shop", "").replace("jsonl\n    channel", "jsonlines\n    channel")
        + "session: {gap: 30}\nsesion: {gap: 30m}\n",
        [
            "project: is missing\n    every project needs it; see 'footpath init'",
            "sources.web.format: 'jsonlines' is not known\n"
            "    did you mean 'jsonl'? allowed: jsonl, json, csv, tsv, parquet",
            "session.gap: 30 has no unit; write 30m, 30h or 30d",
            "sesion: is not known\n    did you mean 'session'? allowed: "
            + ", ".join(Config.model_fields),
        ],
    ),
    "mistakes of form and of sense together": (
        PLAIN.replace("project: shop", "").replace("$.at", "at"),
        [
            "project: is missing\n    every project needs it; see 'footpath init'",
            "sources.web.fields.event_time: 'at' is no JSON path\n"
            "    write $.at for a path, or {const: at} for a constant",
        ],
    ),
    "a broken source does not hide another's mistakes": (
        """
project: shop
sources:
  web: {preset: segment, paths: a, format: jsonlines}
  store: {preset: receipts, paths: b, fields: {value: $.amount}}
""",
        [
            "sources.web.format: 'jsonlines' is not known\n"
            "    did you mean 'jsonl'? allowed: jsonl, json, csv, tsv, parquet",
            "sources.store.fields.value: '$.amount' is a JSON path; csv has columns\n"
            "    name a column",
        ],
    ),
    "unknown preset": (
        PRESET.replace("segment", "segmnt"),
        [
            "sources.web.preset: 'segmnt' is no preset\n"
            f"    did you mean 'segment'? allowed: {ALLOWED_PRESETS}"
        ],
    ),
    "preset without paths": (
        "project: shop\nsources: {web: {preset: segment}}",
        ["sources.web.paths: is missing\n    every source needs it; presets bring all but paths"],
    ),
    "no source": (
        PLAIN.replace("sources:\n  web:", "sources: {}\nother:"),
        [
            "sources: is empty\n    list at least one",
            "other: is not known\n    allowed: " + ", ".join(Config.model_fields),
        ],
    ),
    "a source that is no mapping": (
        "project: shop\nsources: {web: 3}\ntouchpoints: []",
        [
            "sources.web: 3 is no mapping\n    write 'name: value' lines below it",
            "touchpoints: is empty\n    list at least one",
        ],
    ),
    "rules that are no list": (
        PRESET + "touchpoints: 3",
        ["touchpoints[1]: 3 is no mapping\n    write 'name: value' lines below it"],
    ),
    "unknown field of a record": (
        PLAIN.replace("event_type: $.what", "event_type: $.what, pge: $.url"),
        [
            "sources.web.fields.pge: is not known\n    did you mean 'page'? allowed: event_time, "
            "event_type, event_id, ingest_time, page, transaction_id, value, currency, csat, nps, "
            "sentiment"
        ],
    ),
    "an expression with one part too many": (
        PLAIN.replace("{const: web}", "{const: web, lower: $.a}"),
        [
            "sources.web.channel.lower: is not known\n"
            "    an expression is one of const, coalesce, concat, lower, lookup with map, sql"
        ],
    ),
    "a lookup without table": (
        PLAIN.replace("{const: web}", "{lookup: $.a}"),
        ["sources.web.channel.map: is missing\n    sources.web.channel needs it"],
    ),
    "a place in a list is counted from 1": (
        PLAIN.replace("{const: web}", "{coalesce: [$.a, true]}"),
        ["sources.web.channel.coalesce[2]: true is no expression; write {const: true}"],
    ),
    "time format": (
        PLAIN.replace("$.at", "{value: $.at, format: epoch}"),
        [
            "sources.web.fields.event_time.format: 'epoch' is no time format; allowed: iso8601, "
            "epoch_s, epoch_ms, epoch_us, or a pattern such as '%d/%m/%Y %H:%M'"
        ],
    ),
    "time zone": (
        PLAIN.replace("format: jsonl", "format: jsonl\n    timezone: Berlin"),
        ["sources.web.timezone: 'Berlin' is no IANA time zone; write for example Europe/Berlin"],
    ),
    "declared present without zone": (
        PLAIN + "as_of: 2026-01-31",
        ["as_of: 2026-01-31 has no time zone\n    write for example 2026-01-31T00:00:00Z"],
    ),
    "name of a source": (
        PLAIN.replace("web:", "Web-1:"),
        ["sources.Web-1: 'Web-1' must be lower case letters, digits and _, at most 48"],
    ),
    "undeclared namespace": (
        PLAIN.replace("user_id", "userid"),
        [
            "sources.web.identifiers.userid: is no declared namespace\n    did you mean 'user_id'? "
            "allowed: user_id, customer_number, email, phone, anonymous_id; declare it under "
            "identity.namespaces with personal: true or false"
        ],
    ),
    "receipt lines without receipt": (
        PLAIN.replace("format: jsonl", "format: jsonl\n    lines_of_receipt: true"),
        [
            "sources.web: lines_of_receipt needs fields.transaction_id, which names the receipt"
        ],
    ),
    "columns of a format without any": (
        PLAIN.replace("format: jsonl", "format: jsonl\n    columns: [a]"),
        ["sources.web: columns are for csv and tsv, not for jsonl"],
    ),
    "a column that is not there": (
        PLAIN.replace("$.", "").replace("jsonl\n", "tsv\n    columns: [at, what, usr]\n"),
        ["sources.web.identifiers.user_id: 'user' is no column\n"
         "    did you mean 'usr'? allowed: at, what, usr"],
    ),
    "a JSON path in a table": (
        PLAIN.replace("format: jsonl", "format: csv").replace("$.", "").replace(": at", ": $.at"),
        [
            "sources.web.fields.event_time: '$.at' is a JSON path; csv has columns\n"
            "    name a column"
        ],
    ),
    "consent without field": (
        PLAIN.replace("format: jsonl", "format: jsonl\n    consent: {missing: perhaps}"),
        [
            "sources.web.consent.field: is missing\n    sources.web.consent needs it",
            "sources.web.consent.missing: 'perhaps' is not known\n    allowed: withhold, accept",
        ],
    ),
    "an attribute named as a column": (
        PLAIN.replace("identifiers:", "attributes: {value: $.v}\n    identifiers:"),
        ["sources.*.attributes.value: is the name of a column of footpath\n    rename it"],
    ),
    "rules": (
        PLAIN
        + """
  - {touchpoint: open, stage: serice, when: {event_typ: x}}
  - {touchpoint: a, when: {source: web}}
  - {touchpoint: a, stage: service, ignore: true, when: {source: web}}
  - {when: {source: web}}
  - {touchpoint: a, stage: service, when: {}}
""",
        [
            "touchpoints[3]: touchpoint and stage go together",
            "touchpoints[4]: a rule has either touchpoint and stage, or ignore: true",
            "touchpoints[5]: a rule has either touchpoint and stage, or ignore: true",
            "touchpoints[6].when: is empty\n    list at least one",
        ],
    ),
    "sense of rules": (
        PLAIN + "  - {touchpoint: open, stage: serice, when: {event_typ: x}}\n",
        [
            "touchpoints[2].when: 'event_typ' is no column to match on\n    did you mean "
            "'event_type'? allowed: source, channel, event_type, page, transaction_id",
            "touchpoints[2].stage: 'serice' is no stage\n    did you mean 'service'? allowed: "
            "awareness, consideration, purchase, service, loyalty, advocacy",
            "touchpoints[2].touchpoint: 'open' is reserved for the ends of a journey\n"
            "    choose another name",
        ],
    ),
    "references between parts": (
        PLAIN
        + """
journey: {conversion: [buy], pre_purchase_stages: [aware]}
session: {split_on_campaign: true}
graph: {segments: [entry_channel, devise]}
""",
        [
            "graph.segments: 'devise' is no attribute\n    allowed: entry_channel, "
            "persona, week, month, quarter, year",
            "session.split_on_campaign: needs the attribute campaign\n"
            "    declare attributes.campaign in a source",
            "journey.conversion: 'buy' is no touchpoint of a rule\n    allowed: purchase",
            "journey.pre_purchase_stages: 'aware' is no stage\n    did you mean 'awareness'? "
            "allowed: awareness, consideration, purchase, service, loyalty, advocacy",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_every_mistake_is_told_with_place_and_fix(text: str, expected: list[str]) -> None:
    assert mistakes(text) == expected


def test_the_report_counts_the_mistakes_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "footpath.yml"
    file.write_text(PLAIN.replace("project: shop", "").replace("{const: web}", "true"))
    with pytest.raises(ConfigError) as refusal:
        load_config(file)
    assert str(refusal.value) == (
        f"{file}: 2 mistakes\n"
        "  project: is missing\n    every project needs it; see 'footpath init'\n"
        "  sources.web.channel: true is no expression; write {const: true}"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1\nb: 2", "line 2, column 2: not YAML: expected ',' or ']', but got ':'"),
        (PLAIN + "project: again", "line 12, column 1: not YAML: 'project' is given twice"),
    ],
)
def test_what_is_no_yaml_is_shown_by_line_and_column(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "footpath.yml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load_config(file)
    assert [str(p) for p in refusal.value.problems] == [problem]


def test_a_missing_file_is_told_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_config(tmp_path / "none.yml")
    assert [str(p) for p in refusal.value.problems] == [
        "file: No such file or directory\n"
        "    write one with 'footpath init', or name it with --config"
    ]


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [[]], {"web": None}, True])
@pytest.mark.parametrize(
    "key", ["project", "sources", "touchpoints", "stages", "session", "identity", "warehouse"]
)
def test_no_value_makes_it_crash(key: str, odd: Any) -> None:
    document = yaml.safe_load(PRESET) | {key: odd}
    try:
        parse_config(document, base=Path("/data"))
    except ConfigError as refusal:
        assert refusal.problems
