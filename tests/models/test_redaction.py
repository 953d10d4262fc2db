"""Free text is dropped or redacted before anything is written; addresses go wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.config import Config
from contracts.errors import ConfigError
from contracts.loading import parse_config
from models.identifiers import Pseudonymiser
from models.mapping import map_records
from models.redaction import PATTERNS, redact, without_addresses
from models.source_sql import compile_mapping
from tests.models.test_mapping import NOW

SOURCE: dict[str, Any] = {
    "paths": "x",
    "format": "jsonl",
    "channel": {"const": "support"},
    "fields": {
        "event_id": "$.id", "event_time": "$.t", "event_type": "$.e", "page": "$.p",
        "transaction_id": "$.x",
    },
    "identifiers": {"user_id": "$.u"},
    "attributes": {"subject": "$.s", "note": "$.n"},
}  # fmt: skip


def config(privacy: dict[str, Any] | None = None, **source: Any) -> Config:
    document = {
        "project": "Test",
        "sources": {"desk": SOURCE | source},
        "touchpoints": [{"touchpoint": "a", "stage": "service", "when": {"event_type": "*"}}],
        "journey": {"conversion": "a"},
        "privacy": privacy or {},
    }
    return parse_config(document, Path())


def mapped(config: Config, **record: str) -> dict[str, Any]:
    """The one event made of a record."""
    whole = {"id": "1", "t": "2025-05-01T10:00:00Z", "e": "a", "u": "7"} | record
    raw = pa.table({"@position": pa.array([1]), "record": [json.dumps(whole)]})
    mapping = compile_mapping("desk", config)
    result = map_records(raw, mapping, now=NOW, pseudonymiser=Pseudonymiser(b"key"))
    return result.events.to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ann@example.com now", "write to [email] now"),
        ("ANN.O-NEIL+x@Mail.Example.CO.UK", "[email]"),
        ("<zoë@müller.de>", "<[email]>"),
        ("ann\uff20example\uff0ecom", "[email]"),
        ("a\u200bnn@exam\u00adple.com", "[email]"),
        ("ann%40example.com", "[email]"),
        ("ring +49 (30) 1234-567!", "ring [phone]!"),
        ("\uff10\uff11\uff17\uff11 2345678", "[phone]"),
        ("card 4111 1111 1111 1111", "card [card]"),
        ("card 4111-1111-1111-1111.", "card [card]."),
        ("from 192.168.10.1", "from [ip]"),
        ("from 2001:0db8::ff00:42:8329", "from [ip]"),
        ("Dear Mrs. Smith,", "Dear [name],"),
        ("version 2.1, 3 of 12 items at 10:30", "version 2.1, 3 of 12 items at 10:30"),
        (None, None),
    ],
)
def test_what_hides_in_free_text_becomes_its_kind(text: str | None, expected: str | None):
    """Addresses, numbers and names, in disguise, too; what is none stays."""
    own = {"name": r"\b(?:Mr|Mrs|Ms)\. \w+"}
    assert redact(pa.array([text], pa.string()), tuple(PATTERNS), own).to_pylist() == [expected]


def test_texts_without_an_address_are_left_as_they_are():
    """Ligatures and invisible characters of others are nobody's business here."""
    texts = pa.array(["ﬁne", "a\u200bb", "/@home", "x@y", None])
    assert without_addresses(texts).to_pylist() == texts.to_pylist()


def test_free_text_is_dropped_unless_it_is_to_be_redacted():
    """A name alone drops the field; another field of the same source is redacted."""
    found = mapped(
        config(free_text={"subject": "drop", "note": "redact"}),
        s="my wife left me",
        n="call 0171 2345678",
    )
    assert (found["subject"], found["note"]) == (None, "call [phone]")
    assert mapped(config(free_text=["note"]), n="x")["note"] is None


def test_addresses_are_kept_in_no_text_of_an_event():
    """Undeclared, in a path, in an order's number, as event type: they go all the same."""
    mail = "ann@example.com"
    found = mapped(config(), s=f"to {mail}", p=f"/u/{mail}/x?a=b", x=f"o-{mail}", e=f"mail {mail}")
    assert found["subject"] == "to [email]"
    assert found["page"] == "/u/[email]/x"
    assert found["transaction_id"] == "[email]"
    assert found["event_type"] == "mail [email]"


def test_an_id_with_an_address_is_hashed_and_goes_on_to_tell_events_apart():
    """Equal ids stay equal, others differ; ids without an address stay readable."""
    one, same, other = (
        mapped(config(), id=i)["event_id"] for i in ("ann@x.com/1", "ann@x.com/1", "ann@x.com/2")
    )
    assert one == same != other
    assert "@" not in one
    assert mapped(config(), id="a-1")["event_id"] == "a-1"


def test_mistakes_in_the_rules_are_told():
    """A field that is none, a pattern that is none."""
    with pytest.raises(ConfigError, match="free_text names subjct; allowed: note, page, subject"):
        config(free_text=["subjct"])
    with pytest.raises(ConfigError, match=r"privacy.patterns.*RE2"):
        config(privacy={"patterns": {"name": "(?<=Mr) x"}})
