"""Fields that vanish from a source are told; rare ones are not missed too soon."""

from __future__ import annotations

from typing import Any

from models.drift import seen_so_far, vanished


def batch(mapped: int, unmapped: int = 0, **given: int) -> dict[str, Any]:
    places = {name.replace("__", "."): count for name, count in given.items()}
    return {
        "source": "web", "accepted": mapped, "quarantined": 0, "unmapped": unmapped, "given": places,
    }  # fmt: skip


BEFORE = seen_so_far({}, [batch(1_000, fields__value=500, fields__nps=10, identifiers__user=900)])


def places(*batches: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(found.place, found.required) for found in vanished(BEFORE, batches)]


def test_a_field_is_missed_when_twenty_values_were_to_be_expected() -> None:
    """Half the records had a value: 40 without one are drift, 39 are not; a field of 1% needs 2,000."""
    assert places(batch(39, fields__value=0, identifiers__user=39)) == []
    assert places(batch(40, fields__value=0, identifiers__user=40)) == [("fields.value", False)]
    assert places(batch(2_000, fields__value=1, identifiers__user=1)) == [("fields.nps", False)]


def test_the_last_identifier_and_the_whole_record_are_required() -> None:
    """Without any identifier events are nobody's; without time or type there are no events."""
    assert places(batch(40, fields__value=20, identifiers__user=0)) == [("identifiers.user", True)]
    assert places(batch(40, fields__value=20, identifiers__user=0, identifiers__mail=1)) == [
        ("identifiers.user", False)
    ]
    assert places(batch(0, unmapped=20)) == [("fields.event_time or event_type", True)]
    assert places(batch(0, unmapped=19)) == []


def test_sources_that_are_new_or_not_read_have_not_changed() -> None:
    """Drift is a difference between what was and what came."""
    assert places() == []
    assert list(vanished({}, [batch(0, unmapped=100)])) == []
