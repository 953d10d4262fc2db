"""Identity through whole runs: kiosks, households, days that come later, splits, what changed."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.config import Config
from contracts.loading import load_config
from footpath.generator import Scenario, generate
from pipelines.decisions import append_split
from pipelines.job import Run
from tests.spine import add_files, configure, difference, publish, raw_files, rows, start, table

START = datetime(2025, 5, 1, tzinfo=UTC)
SOURCE = {
    "format": "jsonl",
    "paths": "data/*",
    "channel": {"const": "web"},
    "fields": {"event_id": "$.id", "event_time": "$.t", "event_type": "$.e"},
    "identifiers": {"user_id": "$.u", "email": "$.m", "anonymous_id": "$.d"},
}
RULES = [{"touchpoint": "visit", "stage": "awareness", "when": {"event_type": "*"}}]


def project(folder: Path, **identity: Any) -> Config:
    document = {
        "project": "Test",
        "as_of": "2026-01-01T00:00:00Z",
        "sources": {"web": SOURCE},
        "touchpoints": RULES,
        "journey": {"conversion": "visit"},
        "identity": identity,
    }
    path = folder / "footpath.yml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_config(path)


def event(minute: float, **identifiers: str) -> dict[str, Any]:
    """An event; its id says all about it, so the same event is the same in every delivery."""
    at = (START + timedelta(minutes=minute)).isoformat()
    return {"id": f"{minute} {sorted(identifiers.items())}", "t": at, "e": "page", **identifiers}


def deliver(folder: Path, name: str, events: Iterable[dict[str, Any]]) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = "\n".join(map(json.dumps, events)) + "\n"
    (folder / "data" / f"{name}.jsonl").write_text(text, encoding="utf-8")


def customers(run: Run) -> dict[str, str]:
    """Customer of every event that became a touchpoint."""
    return {row["event_id"]: row["customer_id"] for row in table(run, "touchpoints").to_pylist()}


def test_a_kiosk_of_ten_thousand_people_changes_nobodys_journey(tmp_path: Path):
    """With the kiosk's identifier and without it: the same touchpoints, sessions and journeys."""
    events = []
    for person in range(10_000):
        who, at = {"u": f"u{person}"}, person / 2
        events += [
            event(at, **who, d=f"d{person}"),
            event(at + 3, **who, d="kiosk"),
            event(at + 5, d=f"d{person}"),
        ]
    events += [event(5 * number + 1, d="kiosk") for number in range(1_000)]
    outcomes = []
    for name, seen in (("with", events), ("without", [_without_kiosk(e) for e in events])):
        deliver(tmp_path / name, "all", seen)
        outcomes.append(start(project(tmp_path / name)))
    for name in ("touchpoints", "sessions", "journeys"):
        assert rows(outcomes[0], name) == rows(outcomes[1], name)
    assert len(set(customers(outcomes[0]).values())) == 10_000
    (refused,) = table(outcomes[0], "identity_refusals").to_pylist()
    assert (refused["value"], refused["reason"], refused["customers"]) == (
        "kiosk",
        "crowded",
        10_000,
    )
    assert refused["events"] == 30_000
    (accounting,) = table(outcomes[0], "touchpoint_accounting").to_pylist()
    assert accounting["unidentified"] == 1_000


def _without_kiosk(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if (key, value) != ("d", "kiosk")}


HOUSEHOLD = [
    event(0, u="ann", d="tablet"),
    event(10, d="tablet"),  # ann was there ten minutes ago
    event(100, d="tablet"),  # bob will be there in ten minutes
    event(110, u="bob", d="tablet"),
    event(1000, d="tablet"),  # nobody known is near
    event(1010, d="tablet"),
    event(2000, d="tablet"),  # nor here, on another visit
    event(3000, u="ann", d="phone"),
    event(3005, d="phone"),
]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("device_split", "a a b b 1 1 2 a a"),
        ("last_auth", "a b b b b b b a a"),
        ("none", "a a a b a a a a a"),
    ],
)
def test_what_becomes_of_a_households_tablet(tmp_path: Path, mode: str, expected: str):
    """By time, to whoever came last, or to whoever was first: as the option says."""
    deliver(tmp_path, "all", HOUSEHOLD)
    run = start(project(tmp_path, shared_devices=mode))
    found = customers(run)
    assert _pattern([found[e["id"]] for e in HOUSEHOLD]) == _pattern(expected.split())
    intervals = table(run, "identity_intervals")
    assert sum(row["events"] for row in intervals.to_pylist()) == (0 if mode == "none" else 5)


def _pattern(names: list[str]) -> list[int]:
    """Names as numbers in the order in which they appear."""
    return [list(dict.fromkeys(names)).index(name) for name in names]


def test_intervals_name_who_was_on_the_tablet_when(tmp_path: Path):
    """One row an interval, with its rule; strangers on other days are other customers."""
    deliver(tmp_path, "all", HOUSEHOLD)
    run = start(project(tmp_path))
    intervals = sorted(table(run, "identity_intervals").to_pylist(), key=lambda r: r["started_at"])
    assert [(r["rule"], r["events"]) for r in intervals] == [
        ("last before", 1), ("first after", 1), ("nobody near", 2), ("nobody near", 1),
    ]  # fmt: skip
    assert len({r["customer_id"] for r in intervals}) == 4


@pytest.fixture(scope="module")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world where most people share a tablet or meet at a kiosk."""
    folder = tmp_path_factory.mktemp("neighbours")
    shares = {"household_share": 0.7, "kiosks": 1, "kiosk_share": 0.3}
    generate(folder, Scenario(events=1_500, seed=4, days=3, file_days=1, **shares))
    return folder


def test_a_day_that_comes_later_gives_every_event_its_customer(tmp_path: Path, neighbours: Path):
    """Without one day's files, then with them: the same tables as one full run."""
    files = raw_files(neighbours)
    days = sorted({file.name for file in files})
    whole = tmp_path / "whole"
    whole.mkdir()
    add_files(whole, files)
    full = publish(configure(whole))
    assert len(table(full, "identity_intervals")) > 10
    for late in (days[0], days[len(days) // 2]):
        folder = tmp_path / late
        folder.mkdir()
        add_files(folder, [file for file in files if file.name != late])
        publish(configure(folder))
        add_files(folder, files)
        later = publish(configure(folder))
        assert difference(full, later) == {}
        kinds = {row["kind"] for row in table(later, "identity_changes").to_pylist()}
        assert kinds & {"merged", "renamed", "left out"}


SAYS_NOTHING = [
    *(event(minute, u=f"u{minute % 7}", m=" NULL") for minute in range(20)),
    event(30, d="d1", m="null"),
    event(31, u="u1", d="0000-0000"),
    event(32, u="u8", d="0000-0000"),
    event(33, d="0000-0000"),
    event(40, u="u1", m="Till@shop.example", d="d2"),
    event(41, d="d3", m="till@shop.example"),
    event(42, u="u9", m="till@shop.example", d="undefined"),
    event(43, u="u9", m="", d="d9"),
    event(44, u="u9", m="no address", d="d9"),
]
REFUSED = """
WITH raw AS (SELECT DISTINCT ON (id) * FROM read_json('{folder}/data/*.jsonl')),
told AS (
  SELECT 'email' AS namespace, lower(trim(m)) AS value, u, d FROM raw
  UNION ALL SELECT 'anonymous_id', d, u, d FROM raw
)
SELECT told.namespace, if(told.value LIKE 'till%', 'blocked', 'null-like') AS reason,
  if(told.value LIKE 'till%', '{till}', told.value) AS shown, format('on {{}} events', count(*)) AS detail,
  count(DISTINCT coalesce(login.customer_id, browser.customer_id)) AS customers
FROM told
LEFT JOIN identities login ON login.namespace = 'user_id' AND login.value = u
LEFT JOIN identities browser ON browser.namespace = 'anonymous_id' AND browser.value = d
WHERE told.value IN ('null', '0000-0000', 'undefined', 'till@shop.example')
GROUP BY ALL ORDER BY ALL
"""


def test_what_is_refused_on_sight_is_listed_with_whom_it_would_have_merged(tmp_path: Path):
    """The same values, events and customers as SQL finds in the raw files, however often and in how
    many runs they were delivered; nobody's customer depends on them.
    """
    blocked = {"email": ["till@shop.example"]}
    deliver(tmp_path, "1", SAYS_NOTHING)
    run = publish(project(tmp_path, blocked=blocked))
    told = sorted(
        (row["namespace"], row["reason"], row["value"], row["detail"], row["customers"])
        for row in table(run, "identity_refusals").to_pylist()
    )
    key = os.environ["FOOTPATH_KEY"].encode()
    till = hmac.new(key, b"email\x1ftill@shop.example", "sha256").hexdigest()[:32]
    con = duckdb.connect()
    con.register("identities", table(run, "identities"))
    assert told == con.execute(REFUSED.format(folder=tmp_path, till=till)).fetchall()
    assert [row[4] for row in told] == [2, 1, 3, 8]
    assert len(set(customers(run).values())) == 11
    other = [e | {"e": f"page {number}"} for number, e in enumerate(SAYS_NOTHING)]
    deliver(tmp_path, "2", other)
    later = publish(project(tmp_path, blocked=blocked))
    assert rows(later, "identity_refusals") == rows(run, "identity_refusals")
    assert later.draft.names("events") != run.draft.names("events")  # copies took others' places


def test_a_split_survives_later_runs_and_can_be_taken_back(tmp_path: Path):
    """An ordered split holds while the log says so; taken back, the tables are what they were."""
    config = project(tmp_path)
    deliver(tmp_path, "1", [event(0, u="u", m="a@b.c"), event(60, m="a@b.c", d="d")])
    whole = publish(config)
    assert len(set(customers(whole).values())) == 1
    (mail,) = [
        r["value"] for r in table(whole, "identities").to_pylist() if r["namespace"] == "email"
    ]
    append_split(whole.lake, "email", mail, True, START)
    apart = publish(config)
    assert len(set(customers(apart).values())) == 2
    changes = [
        (r["kind"], r["since_version"]) for r in table(apart, "identity_changes").to_pylist()
    ]
    assert changes == [("split", 1)] * 2
    deliver(tmp_path, "2", [event(120, d="d"), event(180, m="a@b.c")])
    assert len(set(customers(publish(config)).values())) == 3
    append_split(whole.lake, "email", mail, False, START)
    again = publish(config)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("1", "2"):
        deliver(
            fresh, name, map(json.loads, (tmp_path / f"data/{name}.jsonl").read_text().splitlines())
        )
    assert difference(again, publish(project(fresh))) == {}


def test_a_limit_changed_reads_nothing_anew(tmp_path: Path):
    """Limits are a matter of resolution: the files of events stay, customers change."""
    deliver(tmp_path, "1", [event(0, u="u1", m="a@b.c"), event(60, u="u2", m="a@b.c")])
    first = publish(project(tmp_path))
    namespaces = {
        "user_id": {"personal": False, "limit": 2},
        "email": {"personal": True, "normalise": "email"},
        "anonymous_id": {"personal": False, "device": True},
    }
    second = publish(project(tmp_path, namespaces=namespaces))
    assert first.draft.names("events") == second.draft.names("events")
    assert [len(set(customers(run).values())) for run in (first, second)] == [2, 1]
