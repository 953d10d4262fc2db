"""Durations carry their unit, and are read back as they are written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", timedelta(minutes=30)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("1h30m", timedelta(minutes=90)),
        (" 1 h 30 m ", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("5us", timedelta(microseconds=5)),
        ("1s500ms", timedelta(milliseconds=1_500)),
        (timedelta(hours=1), timedelta(hours=1)),
    ],
)
def test_a_duration_is_whole_numbers_with_units(text: str | timedelta, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (30, "30 has no unit; write 30m, 30h or 30d"),
        (1.5, "1.5 has no unit; write 1.5m, 1.5h or 1.5d"),
        ("30", "'30' has no unit; write 30m, 30h or 30d"),
        ("", "'' is not a duration; write for example 30m, 12h, 7d, 1h30m"),
        ("5x", "'5x' is not a duration; write for example 30m, 12h, 7d, 1h30m"),
        ("1.5h", "'1.5h' is not a duration; write for example 30m, 12h, 7d, 1h30m"),
        ("-5m", "'-5m' is not a duration; write for example 30m, 12h, 7d, 1h30m"),
        ("5m later", "'5m later' is not a duration; write for example 30m, 12h, 7d, 1h30m"),
        ("0m", "'0m' must be longer than zero"),
    ],
)
def test_anything_else_is_refused_with_the_way_to_write_it(text: str | float, message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_duration(text)  # type: ignore[arg-type]
    assert str(refusal.value) == message


@given(st.integers(min_value=1, max_value=10**15))
def test_what_is_written_is_read_back(microseconds: int) -> None:
    duration = timedelta(microseconds=microseconds)
    assert parse_duration(format_duration(duration)) == duration


def test_the_largest_units_come_first() -> None:
    assert format_duration(timedelta(days=15, hours=1, microseconds=5)) == "2w1d1h5us"
