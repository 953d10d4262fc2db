"""Accounts as subjects: several deciders, one journey, each step with its person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Config
from contracts.errors import ConfigError
from contracts.loading import load_config
from tests.spine import start, table

START = datetime(2025, 5, 1, tzinfo=UTC)
NAMESPACES = {
    "user_id": {"personal": False, "limit": 1},
    "email": {"personal": True, "normalise": "email"},
    "anonymous_id": {"personal": False, "device": True},
    "account": {"personal": False, "normalise": "domain", "account": True},
}
EVENTS = [  # minute, what, login, address, browser
    (0, "visit", None, None, "d1"),  # ann, before her login
    (5, "visit", "ann", "ann@acme.example", "d1"),
    (10, "visit", "bob", "Bob@Acme.example ", "d2"),
    (15, "visit", "eve", "eve@gmail.com", "d3"),
    (20, "buy", "ann", None, "d1"),
    (30, "visit", None, None, "d4"),
]


def project(folder: Path, **changes: Any) -> Config:
    lines = [
        {
            "id": str(n),
            "t": (START + timedelta(minutes=m)).isoformat(),
            "e": e,
            "u": u,
            "m": a,
            "d": d,
        }
        for n, (m, e, u, a, d) in enumerate(EVENTS)
    ]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    document = {
        "project": "Deals",
        "as_of": "2026-01-01T00:00:00Z",
        "subject": "account",
        "sources": {
            "web": {
                "format": "jsonl",
                "paths": "events.jsonl",
                "channel": {"const": "web"},
                "fields": {"event_id": "$.id", "event_time": "$.t", "event_type": "$.e"},
                "identifiers": {
                    "user_id": "$.u",
                    "email": "$.m",
                    "anonymous_id": "$.d",
                    "account": "$.m",
                },
            }
        },
        "touchpoints": [
            {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}},
            {"touchpoint": "visit", "stage": "awareness", "when": {"event_type": "*"}},
        ],
        "identity": {"namespaces": NAMESPACES},
    }
    (folder / "footpath.yml").write_text(json.dumps(document | changes), encoding="utf-8")
    return load_config(folder / "footpath.yml")


def test_colleagues_share_a_journey_and_keep_their_names(tmp_path: Path):
    """One domain, one journey of two persons; a public provider's customer and a stranger have
    journeys of their own.
    """
    run = start(project(tmp_path))
    steps = {row["event_id"]: row for row in table(run, "touchpoints").to_pylist()}
    acme = {n for n, row in steps.items() if row["customer_id"] == steps["0"]["customer_id"]}
    assert acme == {"0", "1", "2", "4"}
    persons = [steps[n]["person_id"] for n in ("0", "1", "4", "2")]
    assert persons[0] == persons[1] == persons[2] != persons[3]
    assert steps["3"]["customer_id"] == steps["3"]["person_id"] != steps["5"]["customer_id"]
    (account,) = table(run, "accounts").to_pylist()
    assert account["account_id"] == steps["0"]["customer_id"]
    assert (account["value"], account["persons"], account["events"]) == ("acme.example", 2, 2)
    journeys = [row["touchpoints"] for row in table(run, "journeys").to_pylist()]
    assert sorted(journeys) == [1, 1, 4]


def test_customers_as_subjects_are_not_tied_by_their_domain(tmp_path: Path):
    """The same namespace declared, and customers the subject: four persons, no person column filled."""
    run = start(project(tmp_path, subject="customer"))
    steps = table(run, "touchpoints").to_pylist()
    assert len({row["customer_id"] for row in steps}) == 4
    assert {row["person_id"] for row in steps} == {None}
    assert len(table(run, "accounts")) == 0


def test_accounts_need_a_namespace_that_names_them(tmp_path: Path):
    """Without one the configuration is refused and says what to declare."""
    with pytest.raises(ConfigError, match="account: true"):
        project(tmp_path, identity={"namespaces": {**NAMESPACES, "account": {"personal": False}}})
