"""Cuts follow the definitions of session and journey, row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.sequences import first_known, journey_starts, session_starts

MINUTE = 60_000_000
DAY = 86_400_000_000


def test_a_silence_of_exactly_the_gap_does_not_close_a_session():
    """Only a silence strictly longer than the gap, or another customer, opens a session."""
    times = np.array([0, 30, 61, 61, 62]) * MINUTE
    customer = np.array([1, 1, 1, 2, 2])
    assert session_starts(customer, times, 30 * MINUTE).tolist() == [True, False, True, True, False]
    longer = times + np.array([0, 1, 1, 1, 1])
    assert session_starts(customer, longer, 30 * MINUTE)[1]


def test_midnight_splits_only_where_asked_for():
    """A new UTC day opens a session as an option, also before 1970."""
    times = np.array([-5, 5, DAY // MINUTE - 1, DAY // MINUTE]) * MINUTE
    one = np.ones(4, int)
    assert session_starts(one, times, DAY).tolist() == [True, False, False, False]
    assert session_starts(one, times, DAY, split_at_midnight=True).tolist() == [
        True,
        True,
        False,
        True,
    ]


def test_another_campaign_opens_a_session_and_none_does_not():
    """A campaign that differs from the customer's last known one opens a session."""
    customer = np.array([1, 1, 1, 1, 1, 2])
    campaign = np.array([-1, 7, -1, 7, 8, 9])
    starts = session_starts(customer, np.arange(6) * MINUTE, DAY, campaign=campaign)
    assert starts.tolist() == [True, False, False, False, True, True]


def test_after_a_conversion_the_next_pre_purchase_touchpoint_opens_a_journey():
    """What lies between (service, a second purchase) still belongs to the journey that
    converted.
    """
    converts = np.array([0, 1, 0, 1, 0, 0], bool)
    pre_purchase = np.array([1, 0, 0, 0, 1, 1], bool)
    rows = np.ones(6, int), np.arange(6) * MINUTE
    cut = journey_starts(*rows, DAY, converts=converts, pre_purchase=pre_purchase)
    assert cut.tolist() == [True, False, False, False, True, False]
    whole = journey_starts(
        *rows, DAY, converts=converts, pre_purchase=pre_purchase, restart_after_conversion=False
    )
    assert whole.tolist() == [True] + [False] * 5


def test_a_conversion_before_a_silence_opens_nothing_after_it():
    """A conversion counts within its own customer and its own stretch without silence."""
    converts = np.array([1, 0, 0, 1, 0], bool)
    pre_purchase = np.array([0, 1, 1, 0, 1], bool)
    customer = np.array([1, 1, 1, 2, 3])
    times = np.array([0, 40, 41, 41, 41]) * DAY
    starts = journey_starts(customer, times, 30 * DAY, converts=converts, pre_purchase=pre_purchase)
    assert starts.tolist() == [True, True, False, True, True]


def test_nothing_in_nothing_out():
    """No rows are no error."""
    none = np.array([], np.int64)
    flags = np.array([], bool)
    assert len(session_starts(none, none, 1, split_at_midnight=True, campaign=none)) == 0
    assert len(journey_starts(none, none, 1, converts=flags, pre_purchase=flags)) == 0
    assert len(first_known(none, none)) == 0


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=12), st.data())
def test_first_known_is_the_first_that_is_not_negative(codes: list[int], data: st.DataObject):
    """Stretch by stretch, as a loop would find it."""
    inner = data.draw(st.sets(st.integers(1, len(codes))))
    starts = sorted({0, *(s for s in inner if s < len(codes))})
    expected = [
        next((c for c in codes[a:b] if c >= 0), -1)
        for a, b in zip(starts, [*starts[1:], len(codes)], strict=True)
    ]
    assert first_known(np.array(codes), np.array(starts)).tolist() == expected
