"""Touched customers, against event by event assignments of random small worlds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.touched_customers import LinkState, Touched, find_touched


@dataclass
class Event:
    """An event: its file and link, its time, and whose it is before and after (0: nobody's)."""

    file: int
    link: int
    time: int
    device: tuple[int, int]
    was: int
    now: int


def world(chance: random.Random) -> tuple[list[Event], dict[str, list[int]]]:
    """Events whose links change customers and whose devices change hands; which files stay, come, go."""
    files = {name: [] for name in ("stayed", "came", "went", "receipts")}
    for file in range(6):
        files[chance.choice(["stayed", "stayed", "stayed", "came", "went"])].append(file)
        if chance.random() < 0.2:
            files["receipts"].append(file)
    renamed = {c: c for c in range(1, 9)}
    for customer in chance.sample(sorted(renamed), chance.randint(0, 3)):
        renamed[customer] = chance.randint(0, 12)
    events, link, time = [], 0, 0
    owners: dict[int, int] = {}
    turns = {device: chance.random() < 0.3 for device in (1, 2)}
    for file in range(6):
        for _ in range(chance.randint(0, 4)):
            was = chance.randint(0, 8)
            now = renamed.get(was, 0) if chance.random() < 0.95 else chance.randint(0, 8)
            on = [chance.randint(0, 2) if not who else 0 for who in (was, now)]
            if chance.random() < 0.8 and not was and not now:
                on[1] = on[0]
            for _ in range(chance.randint(1, 3)):
                time = chance.randint(1, 10**6)
                before, after = was, now
                if on[0]:
                    before = owners[on[0]] = chance.choice(
                        [owners.get(on[0], 1), chance.randint(1, 8)]
                    )
                if on[1]:
                    same = on[0] == on[1] and not turns[on[1]]
                    after = before if same else chance.randint(1, 8)
                events.append(Event(file, link, time, (on[0], on[1]), before, after))
            link += 1
    return events, files


def state(events: list[Event], side: int, files: list[int]) -> tuple[LinkState, dict[int, int]]:
    """The links of some files, numbered in their order, and what the devices' events say of intervals."""
    own = [event for file in files for event in events if event.file == file]
    links = list(dict.fromkeys(event.link for event in own))
    place = {link: number for number, link in enumerate(links)}
    first = {event.link: event for event in reversed(own)}
    customer, device = [], []
    for link in links:
        event = first[link]
        on = event.device[side]
        device.append(on)
        customer.append(0 if on else (event.was, event.now)[side])
    intervals = []
    for on in (1, 2):
        at = sorted((e.time, (e.was, e.now)[side]) for e in own if e.device[side] == on)
        for owner, run in groupby(at, key=lambda pair: pair[1]):
            times = [time for time, _ in run]
            intervals.append((on, times[0], times[-1], owner))
    columns = list(zip(*intervals, strict=True)) or [()] * 4
    found = LinkState(
        np.array(customer, np.uint64),
        np.array(device, np.uint64),
        np.array(columns[0], np.uint64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.uint64),
    )
    return found, place


def remade(
    events: list[Event], files: dict[str, list[int]], seed: int
) -> tuple[dict[int, int], Touched]:
    """Whose each event is by what `find_touched` says is to be done, none of it twice."""
    chance = random.Random(seed)
    sides = [files["stayed"] + files["went"], files["stayed"] + files["came"]]
    (before, at), (after, place) = (
        state(events, side, chance.sample(names, len(names))) for side, names in enumerate(sides)
    )
    both = [link for link in at if link in place]
    stayed = tuple(np.array([where[link] for link in both], np.int64) for where in (at, place))
    of_receipts = {e.link for e in events if e.file in files["receipts"]}
    receipts = np.array([link in of_receipts for link in place], bool)
    found = find_touched(before, after, stayed, receipts)
    touched, again = set(found.customers.tolist()), set(found.again.tolist())
    names = dict(zip(found.old.tolist(), found.new.tolist(), strict=True))
    read = set(found.links.tolist())
    owner: dict[int, int] = {}
    for number, event in enumerate(events):
        if event.file in sides[0] and event.was and event.was not in touched:
            owner[number] = event.was
        elif event.file in sides[0] and event.was and event.was not in again:
            assert event.link not in of_receipts, "a folded touchpoint does not tell its lines"
            owner[number] = names.get(event.was, event.was)
    for number, event in enumerate(events):
        came = event.file in files["came"]
        if came and event.now:
            assert event.now in touched, "an event of an untouched customer"
        stays = event.file in files["stayed"] and place[event.link] in read and event.now in again
        if event.now and (came or stays):
            assert number not in owner, "an event taken twice"
            owner[number] = event.now
    return owner, found


def check(seed: int) -> Touched:
    events, files = world(random.Random(seed))
    for event in events:  # distinct times, or intervals could not tell
        event.time = event.time * 1000 + events.index(event)
    now = set(files["stayed"] + files["came"])
    owner, found = remade(events, files, seed)
    assert owner == {n: e.now for n, e in enumerate(events) if e.file in now and e.now}
    return found


@given(st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_every_event_comes_to_its_customer_and_none_twice(seed: int):
    """Old touchpoints, new files and what is read again give each event the customer it has now."""
    check(seed)


def test_the_worlds_hold_what_they_should():
    """Among the worlds are renamed customers, customers made again, and customers left alone."""
    found = [check(seed) for seed in range(80)]
    assert sum(len(one.old) > 0 for one in found) > 10
    assert sum(len(one.again) > 0 for one in found) > 40
    assert sum(len(one.customers) > len(one.again) for one in found) > 20


@pytest.mark.parametrize(("stated", "again"), [([], []), ([8], [8, 9]), ([9], [8, 9])])
def test_a_merge_with_someone_who_spoke_of_consent_is_read_again(
    stated: list[int], again: list[int]
):
    """What one of two customers said holds for the events of both once they are one."""
    none = np.zeros(0, np.int64)
    hashes = none.view(np.uint64)
    was, now = (
        LinkState(np.array(c, np.uint64), np.zeros(2, np.uint64), hashes, none, none, hashes)
        for c in ([8, 9], [9, 9])
    )
    stayed = (np.arange(2), np.arange(2))
    found = find_touched(was, now, stayed, np.zeros(2, bool), np.array(stated, np.uint64))
    assert found.again.tolist() == again
