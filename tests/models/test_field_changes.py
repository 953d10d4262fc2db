"""New, vanished and retyped raw fields are told; what chance explains is not."""

from __future__ import annotations

from typing import Any

import pytest

from models.field_changes import field_changes, fields_so_far


def batch(looked: int, **fields: dict[str, int]) -> dict[str, Any]:
    return {"source": "web", "looked": looked, "raw": fields}


BEFORE = fields_so_far(
    {}, [batch(600, a={"text": 600}, b={"number": 30}), batch(400, a={"text": 400})]
)


def changes(*batches: dict[str, Any]) -> list[tuple[str, str]]:
    return [(found.field, found.change) for found in field_changes(BEFORE, batches)]


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (batch(20, a={"text": 20}), []),
        (batch(20), [("a", "vanished")]),
        (batch(19), []),  # nineteen records say nothing about a field that all had
        (batch(700, a={"text": 700}, b={"number": 1}), []),
        (batch(700, a={"text": 700}), [("b", "vanished")]),  # 3% of them had it
        (batch(600, a={"text": 600}), []),
        (batch(100, a={"text": 100}, c={"text": 20}), [("c", "new")]),
        (batch(100, a={"text": 100}, c={"text": 19}), []),  # too few to be more than noise,
        (batch(10, a={"text": 10}, c={"text": 5}), [("c", "new")]),  # but for half of a small delivery
        (batch(100, a={"number": 100}), [("a", "retyped")]),
        (batch(100, a={"number": 30, "text": 70}), [("a", "retyped")]),
        (batch(100, a={"number": 3, "text": 97}), []),
    ],
)  # fmt: skip
def test_a_field_has_changed_if_twenty_records_speak_for_it(came: dict[str, Any], expected: list):
    """By its share before or now, twenty of the records without it would have had it."""
    assert changes(came) == expected


def test_a_rare_field_is_not_new_after_a_short_past():
    """Of ten records before, none would have had what one in ten has now."""
    past = fields_so_far({}, [batch(10, a={"text": 10})])
    assert list(field_changes(past, [batch(1_000, a={"text": 1_000}, c={"text": 100})])) == []


def test_changes_tell_what_was_and_what_is():
    """In words that name source, field, kinds and numbers."""
    told = [
        str(found) for found in field_changes(BEFORE, [batch(40, a={"number": 40}, c={"list": 30})])
    ]
    assert told == [
        "sources.web: raw field a is retyped: 40 of 40 new values are number; before, all 1,000 were text",
        "sources.web: raw field c is new: list in 30 of 40 new records, in none of 1,000 before",
    ]


def test_sources_that_are_new_or_not_read_have_not_changed():
    """Drift is a difference between what was and what came."""
    assert changes() == []
    assert list(field_changes({}, [batch(100, a={"text": 100})])) == []
    assert changes({"source": "shop", "looked": 100, "raw": {}}) == []
