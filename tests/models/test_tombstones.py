"""Tombstones recognise the erased by keyed hashes alone, under every key they were made with."""

from __future__ import annotations

import json
from dataclasses import asdict

import pyarrow as pa

from contracts.config import Identity
from models.dictionaries import encode
from models.identifiers import Pseudonymiser
from models.tombstones import Tombstones, bury

OLD, NEW = Pseudonymiser(b"old"), Pseudonymiser(b"new")
MAIL = "ann@example.com"
ANN = bury(
    [("user_id", "ann"), ("email", OLD.digest("email", MAIL))],
    [(("anonymous_id", "tablet"), ("web", "event-7"))],
    OLD,
)
EVENTS = pa.chunked_array([["e1", "e2", "e3", "e4", "event-7", "e8"]])
RAW = {
    "user_id": encode(pa.array(["ann", "bob", None, None, None, None])),
    "email": encode(pa.array([None, None, " Ann@EXAMPLE.com", "bob@example.com", None, None])),
    "anonymous_id": encode(pa.array(["tablet", "tablet", None, None, "tablet", "tablet"])),
}
HERS = [True, False, True, False, True, False]


def test_a_tombstone_tells_nothing_but_to_the_holder_of_the_key():
    """Neither value nor pseudonym is in it, and another key makes another."""
    text = json.dumps(asdict(ANN))
    secrets = ("ann", MAIL, OLD.digest("email", MAIL), "tablet", "event-7")
    assert not any(secret in text for secret in secrets)
    assert set(bury([("user_id", "ann")], [], NEW).identifiers).isdisjoint(ANN.identifiers)


def test_raw_records_are_recognised_under_a_former_key():
    """By identifier in any spelling, and an anonymous event by itself; the device stays free."""
    for keys in ((OLD,), (NEW, OLD)):
        found = Tombstones(keys, (ANN,)).of_raw(RAW, "web", EVENTS, Identity())
        assert found.tolist() == HERS
    assert not Tombstones((NEW,), (ANN,)).of_raw(RAW, "web", EVENTS, Identity()).any()
    other = Tombstones((OLD,), (ANN,)).of_raw(RAW, "shop", EVENTS, Identity())
    assert other.tolist() == [True, False, True, False, False, False], (
        "that event of another source"
    )


def test_events_of_the_lake_are_recognised_whatever_key_hashed_them():
    """An erasure that was begun under the former key is completed under the new one."""
    known = RAW | {
        "email": encode(
            pa.array(
                [None, None, OLD.digest("email", MAIL), OLD.digest("email", "bob"), None, None]
            )
        )
    }
    tombstones = Tombstones((NEW, OLD), (ANN,))
    assert tombstones.of_known(known, "web", EVENTS).tolist() == HERS
    assert tombstones.erased("user_id", pa.array(["bob", "ann"])).tolist() == [False, True]
    assert tombstones.guarded("anonymous_id", pa.array(["phone", "tablet"])).tolist() == [
        False,
        True,
    ]
