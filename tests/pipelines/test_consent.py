"""Withdrawn consent is honoured from its time on, in every source, whatever was delivered first."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Config
from contracts.errors import ConfigError
from pipelines.job import Run
from tests.pipelines.test_increments import column, deliver, event, project
from tests.spine import difference, publish, table

CHOICES = {
    "identifiers": {"user_id": "$.u", "email": "$.m"},
    "consent": {
        "field": "$.says",
        "granted": ["yes"],
        "withdrawn": ["no"],
        "purpose": "$.about",
    },
}
SHOP = {"identifiers": {"user_id": "$.u", "email": "$.m"}}
MAIL = "ann@example.com"


def at(day: int, number: int, **more: Any) -> dict[str, Any]:
    return event(number, t=f"2025-05-{day:02d}T10:00:00Z", got="2025-06-01", **more)


SHOPPED = [
    at(1, 1, u="ann", m=MAIL),
    at(3, 2, u="ann"),
    at(5, 3, u="ann"),
    at(7, 4, u="ann"),
    at(5, 5, u="bob"),
]
WITHDREW = [at(3, 11, u=None, m=MAIL, says="no", about="Analytics")]
AGREED = [at(7, 12, u=None, m=MAIL, says="yes", about="analytics")]
OF_SOMETHING_ELSE = [at(1, 13, u="bob", says="no", about="marketing")]
DELIVERIES = (
    ("shop/1.jsonl", SHOPPED),
    ("cmp/1.jsonl", WITHDREW),
    ("cmp/2.jsonl", [*AGREED, *OF_SOMETHING_ELSE]),
)


def configured(folder: Path, **privacy: Any) -> Config:
    config = project(folder, shop=SHOP, cmp=CHOICES)
    return config.model_copy(update={"privacy": config.privacy.model_copy(update=privacy)})


def delivered(folder: Path, deliveries: Any, **privacy: Any) -> Run:
    """A run after each delivery; every source has a file from the beginning."""
    deliver(folder, "shop/0.jsonl", [])
    deliver(folder, "cmp/0.jsonl", [])
    for name, records in deliveries:
        deliver(folder, name, records)
        run = publish(configured(folder, **privacy))
    return run


def test_events_between_withdrawal_and_new_consent_are_left_out(tmp_path: Path):
    """Said by address, honoured for the login; a word about another purpose changes nothing."""
    run = delivered(tmp_path, DELIVERIES)
    assert column(run, "touchpoints", "event_id") == [("e1",), ("e12",), ("e4",), ("e5",)]
    shop = next(r for r in table(run, "touchpoint_accounting").to_pylist() if r["source"] == "shop")
    assert (shop["events"], shop["touchpoints"], shop["withdrawn"]) == (5, 3, 2)
    ledger = [r for r in table(run, "ingest_ledger").to_pylist() if r["source"] == "cmp"]
    assert sum(row["withheld"] for row in ledger) == 2, "records that do not grant consent"


@pytest.mark.engine
def test_the_order_of_deliveries_does_not_matter(tmp_path: Path):
    """A withdrawal that comes late reaches events of long ago; a new consent brings them back."""
    runs = []
    for number, order in enumerate(itertools.permutations(DELIVERIES)):
        if number in (0, 3, 5):
            (tmp_path / str(number)).mkdir()
            runs.append(delivered(tmp_path / str(number), order))
    assert [difference(runs[0], run) for run in runs[1:]] == [{}, {}]


def test_withdrawn_entirely_takes_what_was_before(tmp_path: Path):
    """By configuration, a last word that withdraws ends the past, too."""
    run = delivered(tmp_path, DELIVERIES[:2], withdrawal="entirely")
    assert column(run, "touchpoints", "event_id") == [("e5",)]


def test_a_word_cannot_grant_and_withdraw(tmp_path: Path):
    """Such a declaration is refused."""
    consent = {"field": "$.says", "granted": ["yes"], "withdrawn": ["YES"]}
    with pytest.raises(ConfigError, match="yes cannot both grant and withdraw"):
        project(tmp_path, cmp={**CHOICES, "consent": consent})
