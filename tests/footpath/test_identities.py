"""``footpath identity``: an identifier explained, a split ordered, conclusions held side by side."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from contracts.config import Config
from contracts.errors import ConfigError, InputError
from contracts.loading import load_config
from footpath.identities import order_split, show
from footpath.publication import DATABASE
from footpath.running import STAGES, run_stages
from footpath.sensitivity import sensitivity
from tests.spine import expectations_not_asked

pytestmark = pytest.mark.usefixtures("unasked")

START = datetime(2025, 5, 1, tzinfo=UTC)
EVENTS = [  # minute, what, login, address, browser
    (0, "visit", None, None, "phone"),
    (5, "visit", "ann", "ann@example.com", "phone"),
    (60, "visit", "ann", None, "tablet"),
    (65, "buy", None, None, "tablet"),
    (200, "visit", "bob", None, "tablet"),
    (210, "visit", None, None, "tablet"),
    (500, "visit", None, None, "tablet"),
    (600, "visit", "eve", "ann@example.com", None),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Ann and Bob share a tablet; Eve typed Ann's address."""
    folder = tmp_path_factory.mktemp("household")
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
        "project": "Household",
        "as_of": "2026-01-01T00:00:00Z",
        "sources": {
            "web": {
                "format": "jsonl",
                "paths": "events.jsonl",
                "channel": {"const": "web"},
                "fields": {"event_id": "$.id", "event_time": "$.t", "event_type": "$.e"},
                "identifiers": {"user_id": "$.u", "email": "$.m", "anonymous_id": "$.d"},
            }
        },
        "touchpoints": [
            {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}},
            {"touchpoint": "visit", "stage": "awareness", "when": {"event_type": "*"}},
        ],
    }
    (folder / "footpath.yml").write_text(json.dumps(document), encoding="utf-8")
    config = load_config(folder / "footpath.yml")
    with expectations_not_asked():
        run_stages(config, STAGES, ())
    return config


def shown(config: Config, value: str) -> str:
    return "\n".join(show(config, config.warehouse / "current" / DATABASE, value, 10))


def test_an_address_is_found_by_its_hash_and_explained(project: Config):
    """Its customer, what it was seen with, the refused login, the events; the address itself is in
    no line.
    """
    text = shown(project, " Ann@Example.com")
    assert "example" not in text.lower()
    assert "identifiers (3)" in text
    assert "anonymous_id phone  2025-05-01 00:00" in text
    assert "user_id eve - email " in text
    assert "limit, more than 1 user_id; would have made one of 2 customers" in text
    assert "anonymous on shared devices (1)" in text
    assert "touchpoints (4)" in text
    assert "web/web  purchase" in text
    assert text == shown(project, "ann").replace(
        "user_id ann: customer", "email " + _hash(text) + ": customer"
    )


def _hash(text: str) -> str:
    return text.split()[1].rstrip(":")


def test_a_shared_tablet_says_who_was_on_it(project: Config):
    """A device of several people has no customer; its anonymous hours are listed with theirs."""
    text = shown(project, "tablet")
    assert text.startswith("anonymous_id tablet: nobody's: shared")
    assert text.count("last before") == 2
    assert text.count("nobody near") == 1
    assert "several known customers use it" in text
    assert "touchpoints" not in text


def test_an_unknown_value_is_an_error_that_helps(project: Config):
    """What was looked for and where."""
    with pytest.raises(InputError, match="looked for in user_id, email, anonymous_id"):
        shown(project, "nobody")


def test_mistakes_in_a_split_are_told(project: Config):
    """A namespace that is not there, a value that can be no address."""
    with pytest.raises(ConfigError, match="allowed: user_id, email, anonymous_id"):
        list(order_split(project, "mail", "x", undo=False))
    with pytest.raises(InputError, match="can be no email"):
        list(order_split(project, "email", "x", undo=False))


def test_sensitivity_says_what_changes(project: Config):
    """Given to whoever came last, or to Ann, the stranger's visit makes no customer; nothing is
    published.
    """
    text = "\n".join(sensitivity(project))
    (customers,) = [line for line in text.splitlines() if line.startswith("customers")]
    assert customers.split() == ["customers", "4", "3", "3"]
    assert "What changes against device_split" in text
    assert not list(project.warehouse.glob("sensitivity-*"))
    assert [path.name for path in (project.warehouse / "versions").iterdir()] == ["000001"]


def test_a_split_takes_effect_at_the_next_run(project: Config):
    """Split, the phone has a customer of its own; taken back, it is Ann's again."""
    whole = shown(project, "phone").splitlines()[0]
    list(order_split(project, "anonymous_id", "phone", undo=False))
    assert shown(project, "phone").splitlines()[0] == whole
    run_stages(project, STAGES, ())
    apart = shown(project, "phone")
    assert "split by order" in apart
    list(order_split(project, "anonymous_id", "phone", undo=True))
    run_stages(project, STAGES, ())
    assert shown(project, "phone").splitlines()[0] == whole
