"""Shared devices: anonymous events go to whoever was authenticated nearest, as a plain search says."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.shared_devices import RULES, CustomersByTime, assign, last_of_all, named

WITHIN = 10
EVENT = st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 3))
Event = tuple[int, int, int]


def arrays(events: list[Event]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    device, time, customer = np.array(events, np.int64).reshape(-1, 3).T
    return device, time, customer.astype(np.uint64)


def plainly(events: list[Event], device: int, time: int) -> tuple[int, str] | None:
    """The customer of an anonymous event, and why; None if nobody known is near."""
    known = sorted((t, c) for d, t, c in events if d == device and c)
    before = [(t, c) for t, c in known if time - WITHIN <= t <= time]
    after = [(t, c) for t, c in known if time < t <= time + WITHIN]
    if now := [c for t, c in before if t == time]:
        return min(now), "last before"
    if before:
        return before[-1][1], "last before"
    return (after[0][1], "first after") if after else None


@settings(max_examples=300)
@given(st.lists(EVENT, max_size=20), st.randoms(use_true_random=False))
def test_intervals_say_what_a_plain_search_says(events: list[Event], chance: Any):
    """Looked up by time, each anonymous event has the customer that searching its device gives, and
    a stay without anybody known has one of its own; the order of events is of no consequence.
    """
    found = assign(*arrays(events), WITHIN)
    anonymous = [(d, t) for d, t, c in events if not c]
    assert found.events.sum() == len(anonymous)
    hashes = np.array([11, 22, 33], np.uint64)
    intervals = named(found, hashes)
    if anonymous:
        who = CustomersByTime(intervals.device, intervals.start_us, intervals.customer)
        got = who.at(*np.array(anonymous).T).tolist()
        stays: dict[int, list[tuple[int, int]]] = {}
        for (device, time), customer in zip(anonymous, got, strict=True):
            expected = plainly(events, device, time)
            if expected is None:
                assert customer > 3
                stays.setdefault(customer, []).append((device, time))
            else:
                assert customer == expected[0]
                (at,) = [
                    n
                    for n in range(len(found))
                    if found.device[n] == device and found.start_us[n] <= time <= found.end_us[n]
                ]
                assert RULES[found.rule[at]] == expected[1]
        for moments in stays.values():
            assert len({device for device, _ in moments}) == 1
            assert max(np.diff(sorted(t for _, t in moments)), default=0) <= WITHIN
    shuffled = list(events)
    chance.shuffle(shuffled)
    again = assign(*arrays(shuffled), WITHIN)
    assert all(
        getattr(again, name).tolist() == getattr(found, name).tolist()
        for name in ("device", "start_us", "end_us", "customer", "rule", "events")
    )


def test_a_long_silence_ends_a_stay():
    """Two anonymous visits to a till a day apart are two customers."""
    found = named(
        assign(*arrays([(0, 0, 0), (0, 5, 0), (0, 100, 0)]), WITHIN), np.array([7], np.uint64)
    )
    assert found.events.tolist() == [2, 1]
    assert len(set(found.customer.tolist())) == 2


def test_last_of_all_takes_the_customer_seen_last():
    """One interval a device, from its first to its last anonymous event."""
    customer = np.array([5, 6, 0, 0, 6, 5], np.uint64)
    found = last_of_all(
        np.array([0, 0, 0, 0, 1, 1]),
        customer,
        np.array([1, 2, 3, 0, 1, 1]),
        np.array([9, 8, 4, 7, 2, 2]),
        np.array([1, 1, 2, 3, 1, 1]),
    )
    assert (found.device.tolist(), found.customer.tolist()) == ([0], [5])
    assert (found.start_us.tolist(), found.end_us.tolist(), found.events.tolist()) == (
        [0],
        [7],
        [5],
    )
