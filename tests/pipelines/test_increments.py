"""Increments on hand-written input: what a later delivery or a changed declaration does to what
was published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.config import Config
from contracts.errors import InputError, StageOrderError
from contracts.loading import load_config
from pipelines.job import Run, run_stage
from tests.spine import difference, ingest, ledger_sums, publish, rows, stage, start, table

BASE: dict[str, Any] = {
    "format": "jsonl",
    "channel": {"const": "web"},
    "fields": {
        "event_id": "$.id",
        "event_time": "$.t",
        "ingest_time": "$.got",
        "event_type": "$.e",
        "value": "$.v",
    },
    "identifiers": {"user_id": "$.u"},
}
RULES = [
    {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}},
    {"touchpoint": "visit", "stage": "awareness", "when": {"event_type": "*"}},
]


def project(folder: Path, **sources: Any) -> Config:
    document = {
        "project": "Test",
        "as_of": "2026-01-01T00:00:00Z",
        "sources": {n: {**BASE, "paths": f"data/{n}/*", **s} for n, s in sources.items()},
        "touchpoints": RULES,
    }
    path = folder / "footpath.yml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_config(path)


def deliver(folder: Path, name: str, records: Iterable[dict[str, Any]]) -> None:
    """Write a file of JSON lines, or of CSV if its name says so."""
    target = folder / "data" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    records = list(records)
    lines = [json.dumps(record) for record in records]
    if target.suffix == ".csv":
        lines = [",".join(records[0]), *(",".join(map(str, r.values())) for r in records)]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def event(number: int, got: str = "2025-05-02", **more: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "t": "2025-05-01T10:00:00Z",
        "got": got,
        "e": "a",
        "u": f"u{number % 3}",
    } | more


def column(run: Run, name: str, *columns: str) -> list[Any]:
    return sorted(tuple(row[c] for c in columns) for row in table(run, name).to_pylist())


def test_a_copy_delivered_later_but_received_earlier_wins(tmp_path: Path):
    """The earliest received copy stays, whenever it was delivered; the ledger's counts follow
    it.
    """
    config = project(tmp_path, web={})
    deliver(tmp_path, "web/1.jsonl", [event(1, "2025-05-09", e="late"), event(2)])
    ingest(config)
    deliver(
        tmp_path,
        "web/2.jsonl",
        [event(1, "2025-05-03", e="early", t="2025-04-30T10:00:00Z"), event(3)],
    )
    run = ingest(config)
    assert column(run, "events", "event_id", "event_type") == [
        ("e1", "early"),
        ("e2", "a"),
        ("e3", "a"),
    ]
    assert [(r["events"], r["duplicates"]) for r in table(run, "ingest_ledger").to_pylist()] == [
        (1, 1),
        (2, 0),
    ]
    ledger_sums(run)
    deliver(tmp_path, "web/3.jsonl", [event(1, "2025-05-05", e="between"), event(4)])
    run = ingest(config)
    assert ("e1", "early") in column(run, "events", "event_id", "event_type")
    assert sum(row["events"] for row in table(run, "ingest_ledger").to_pylist()) == 4


def test_a_loser_of_an_earlier_run_removes_nothing_later(tmp_path: Path):
    """Whoever lost once is out of the game: each later run leaves the staying copy alone."""
    config = project(tmp_path, web={})
    copies = [event(1, "2025-05-09"), event(1, "2025-05-02"), event(1, "2025-05-02")]
    deliver(tmp_path, "web/1.jsonl", copies)
    for number in (2, 3, 4):
        ingest(config)
        deliver(tmp_path, f"web/{number}.jsonl", [event(n) for n in range(1, 30 * number)])
    run = ingest(config)
    assert len(column(run, "events", "event_id")) == 119
    ledger_sums(run)


def test_files_rewritten_in_one_day_do_not_overwrite_each_other(tmp_path: Path):
    """Files of one day with as many rows and the same times, each losing a row, stay two files."""
    config = project(tmp_path, web={})
    for delivery in range(3):
        deliver(
            tmp_path,
            f"web/{delivery}.jsonl",
            [event(10 * delivery + n, "2025-05-09") for n in range(5)],
        )
        ingest(config)
    deliver(tmp_path, "web/x.jsonl", [event(10 * delivery, "2025-05-01") for delivery in range(3)])
    run = ingest(config)
    assert (
        len(column(run, "events", "event_id")) == len(set(column(run, "events", "event_id"))) == 15
    )
    ledger_sums(run)


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_a_changed_declaration_reads_only_its_source_anew(tmp_path: Path, format_: str):
    """The changed source is read again and everything after follows; others keep their files."""
    shop = {"format": format_}
    if format_ == "csv":
        fields = {
            name: path.removeprefix("$.")
            for name, path in BASE["fields"].items()
            if name != "value"
        }
        shop |= {"fields": fields, "identifiers": {"user_id": "u"}}
    deliver(tmp_path, "web/1.jsonl", [event(1), event(2)])
    deliver(tmp_path, f"shop/1.{format_}", [event(3), event(4)])
    first = publish(project(tmp_path, web={}, shop=shop))
    files = {f.path for f in first.draft.tables["events"] if f.partition["source"] == "web"}
    published = {p: p.read_bytes() for p in first.lake.paths(first.draft, "events")}
    second = publish(project(tmp_path, web={}, shop={**shop, "channel": {"const": "store"}}))
    assert files < {f.path for f in second.draft.tables["events"]}
    assert column(second, "touchpoints", "event_id", "channel") == [
        ("e1", "web"), ("e2", "web"), ("e3", "store"), ("e4", "store"),
    ]  # fmt: skip
    assert {p: p.read_bytes() for p in published} == published, "a published file was changed"
    ledger_sums(second)


def test_words_about_a_source_read_nothing_anew(tmp_path: Path):
    """A description, or where files lie, decides nothing about records."""
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    first = ingest(project(tmp_path, web={}))
    second = ingest(project(tmp_path, web={"description": "Our shop"}))
    assert first.draft.names("events") == second.draft.names("events")


def test_another_key_reads_personal_identifiers_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Pseudonyms of two keys must not live side by side, or one person would be two."""
    deliver(tmp_path, "web/1.jsonl", [event(1, u="ann@example.com")])
    config = project(tmp_path, web={"identifiers": {"email": "$.u"}})
    publish(config)
    monkeypatch.setenv("FOOTPATH_KEY", "another key")
    deliver(tmp_path, "web/2.jsonl", [event(2, u="ann@example.com")])
    assert len(table(publish(config), "identities")) == 1


def test_a_changed_source_whose_files_are_gone_is_refused(tmp_path: Path):
    """Without its files a source cannot be read anew, and half a source is no answer."""
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    ingest(project(tmp_path, web={}))
    (tmp_path / "data/web/1.jsonl").unlink()
    deliver(tmp_path, "web/2.jsonl", [event(2)])
    with pytest.raises(InputError, match=r"1\.jsonl"):
        ingest(project(tmp_path, web={"channel": {"const": "store"}}))


def test_a_source_taken_out_takes_its_rows_with_it(tmp_path: Path):
    """Tables are a function of the declared sources; coming back, the source is read again."""
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    deliver(tmp_path, "shop/1.jsonl", [event(1), event(2)])
    both = publish(project(tmp_path, web={}, shop={}))
    without = publish(project(tmp_path, web={}))
    assert column(without, "events", "source", "event_id") == [("web", "e1")]
    back = publish(project(tmp_path, web={}, shop={}))
    assert difference(both, back) == {}
    ledger_sums(back)


def test_a_file_that_grew_is_read_again_for_what_is_new(tmp_path: Path):
    """Lines added to a file become events; those read before are duplicates."""
    config = project(tmp_path, web={})
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    ingest(config)
    deliver(tmp_path, "web/1.jsonl", [event(1), event(2)])
    run = ingest(config)
    assert column(run, "events", "event_id") == [("e1",), ("e2",)]
    assert ledger_sums(run)["duplicates"] == 1


def test_a_stage_before_its_turn_is_refused(tmp_path: Path):
    """A stage whose input is missing, or is of other events, says so instead of mixing customers
    up.
    """
    config = project(tmp_path, web={})
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    with pytest.raises(StageOrderError, match="link_customers"):
        start(config, stages=("ingest", "sessionize"))
    publish(config)
    deliver(tmp_path, "web/2.jsonl", [event(2, t="2025-03-01T00:00:00Z")])
    with pytest.raises(StageOrderError, match="resolve"):
        start(config, stages=("ingest", "sessionize"))


def test_a_new_rule_or_gap_repeats_only_what_it_touches(tmp_path: Path):
    """Session settings do not read files again; identity is left alone."""
    deliver(tmp_path, "web/1.jsonl", [event(1)])
    config = project(tmp_path, web={})
    publish(config)
    changed = config.model_copy(
        update={"session": config.session.model_copy(update={"split_at_midnight": True})}
    )
    assert [entry["skipped"] for entry in start(changed).log] == [True, True, False, False]


def test_identical_rows_from_any_history(tmp_path: Path):
    """One run over everything equals runs over one file each, in any order of delivery."""
    deliveries = [
        [
            event(1, "2025-05-04", e="x"),
            event(2, "2025-05-03", e="y"),
            event(2, "2025-05-03", e="z"),
        ],
        [event(1, "2025-05-04", e="w"), event(3), event(3)],
        [event(2, "2025-05-03", e="x", t="2025-05-07T00:00:00Z"), event(1, "2025-05-04", e="v")],
    ]  # ties in the time of receipt are decided by content
    outcomes = []
    for history in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        folder = tmp_path / "".join(map(str, history))
        folder.mkdir()
        for number in history:
            deliver(folder, f"web/{number}.jsonl", deliveries[number])
            run = publish(project(folder, web={}))
        outcomes.append(rows(run, "touchpoints"))
        ledger_sums(run)
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_an_empty_file_and_an_empty_day_are_no_problem(tmp_path: Path):
    """Files with nothing in them enter the ledger; no event means empty tables, not an error."""
    deliver(tmp_path, "web/1.jsonl", [])
    run = publish(project(tmp_path, web={}))
    assert {name: len(table(run, name)) for name in ("events", "identities", "journeys")} == {
        "events": 0, "identities": 0, "journeys": 0,
    }  # fmt: skip
    assert pq.read_table(run.lake.paths(run.draft, "ingest_ledger")[0])[
        "records_read"
    ].to_pylist() == [0]


def test_receipts_folded_by_run_stage(tmp_path: Path):
    """Lines of a receipt are one touchpoint and are counted as folded."""
    fields = {**BASE["fields"], "transaction_id": "$.r"}
    deliver(tmp_path, "till/1.jsonl", [event(n, u="u1", r="r1", v="1.50") for n in range(3)])
    run = start(project(tmp_path, till={"fields": fields, "lines_of_receipt": True}))
    (accounting,) = table(run, "touchpoint_accounting").to_pylist()
    assert (accounting["events"], accounting["touchpoints"], accounting["folded_lines"]) == (
        3,
        1,
        2,
    )
    assert not run_stage(run, stage("journeys"))
