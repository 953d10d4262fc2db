"""Identity without limits is connected components, named after the oldest identifier, whatever the
order.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import networkx as nx
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Identity, Namespace
from models.dictionaries import encode
from models.identity import resolve as resolve_links
from models.links import hash_links, link_events

NAMES = ("user_id", "email", "anonymous_id")
UNLIMITED = Identity(
    namespaces={name: Namespace(personal=False, limit=None) for name in NAMES},
    shared_devices="none",
)
START = datetime(2025, 1, 1, tzinfo=UTC)
Link = tuple[str | None, str | None, str | None, int]


def links(rows: list[Link]) -> pa.Table:
    """Links of (user_id, email, anonymous_id, hour first seen)."""
    columns: dict[str, Any] = {
        f"id_{name}": pa.array([row[place] for row in rows], pa.string())
        for place, name in enumerate(NAMES)
    }
    times = pa.array([START + timedelta(hours=row[3]) for row in rows], pa.timestamp("us", "UTC"))
    columns |= {
        "first_seen": times,
        "last_seen": times,
        "events": pa.array([1] * len(rows), pa.int64()),
        "_refused": pa.nulls(len(rows), pa.string()),
    }
    return hash_links(pa.table(columns), NAMES)


def resolve(rows: list[Link]) -> tuple[list[int], list[dict[str, Any]]]:
    """Customers of the links, read in pieces of three, and the rows of `identities`."""
    table = links(rows)

    def read(name: str) -> list[pa.Array]:
        return [table[name].combine_chunks()[at : at + 3] for at in range(0, len(rows), 3)]

    resolution = resolve_links(read, NAMES, UNLIMITED)
    pieces = resolution.identities(read)
    return resolution.link_customers.tolist(), [
        row for piece in pieces for row in piece.to_pylist()
    ]


def customers(rows: list[Link]) -> dict[tuple[str, str], str]:
    return {(row["namespace"], row["value"]): row["customer_id"] for row in resolve(rows)[1]}


def test_an_anonymous_past_joins_the_person():
    """A device seen before the login belongs to whoever logged in, and names the customer."""
    (one, two, three, none), identities = resolve(
        [
            (None, None, "d1", 0),
            ("u1", None, "d1", 5),
            (None, "m", None, 6),
            (None, None, None, 7),
        ]
    )
    assert one == two != three
    assert none == 0
    rules = {row["value"]: row["rule"] for row in identities}
    assert rules == {"d1": "oldest", "u1": "seen with anonymous_id", "m": "oldest"}
    (device,) = [row for row in identities if row["value"] == "d1"]
    assert (device["events"], device["first_seen"]) == (2, START)
    assert device["last_seen"] == START + timedelta(hours=5)


def test_the_same_value_in_two_namespaces_is_two_identifiers():
    """(user_id, 7) is not (anonymous_id, 7)."""
    found = customers([("7", None, None, 0), (None, None, "7", 0)])
    assert len(set(found.values())) == 2


def test_the_customer_id_survives_growth_and_merger():
    """The oldest identifier keeps naming the customer when younger ones join."""
    before = customers([("u1", None, None, 0), ("u2", None, None, 1)])
    after = customers(
        [("u1", None, None, 0), ("u2", None, None, 1), ("u1", "m", None, 2), ("u2", "m", None, 3)]
    )
    assert set(after.values()) == {before["user_id", "u1"]}


def test_ties_in_age_go_to_the_stronger_namespace_then_to_the_smaller_hash():
    """No tie is left to chance."""
    alone = {customers([(name, None, None, 0)])["user_id", name] for name in ("u1", "u2")}
    assert set(customers([("u1", "a", None, 0)]).values()) < alone
    tied = customers([("u2", "a", None, 0), ("u1", "a", None, 0)])
    assert set(tied.values()) == {min(alone)}


def test_nobody_is_no_error():
    """No links, or links without identifiers."""
    assert resolve([]) == ([], [])
    assert resolve([(None, None, None, 0)]) == ([0], [])


VALUE = st.none() | st.sampled_from("abcd")
LINK = st.tuples(VALUE, VALUE, VALUE, st.integers(0, 3))


@settings(deadline=None)
@given(st.lists(LINK, max_size=12), st.randoms(use_true_random=False))
def test_customers_are_connected_components_in_any_order(rows: list[Link], chance: Any):
    """The same partition as networkx finds, and the same ids for shuffled links."""
    graph = nx.Graph()
    for row in rows:
        nodes = [
            (name, value) for name, value in zip(NAMES, row[:3], strict=True) if value is not None
        ]
        graph.add_nodes_from(nodes)
        nx.add_path(graph, nodes)
    found = customers(rows)
    groups: dict[str, set[tuple[str, str]]] = {}
    for node, customer in found.items():
        groups.setdefault(customer, set()).add(node)
    assert sorted(map(sorted, groups.values())) == sorted(
        map(sorted, nx.connected_components(graph))
    )
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert customers(shuffled) == found


@settings(deadline=None)
@given(st.lists(LINK, max_size=12), st.booleans())
def test_links_lose_nothing(rows: list[Link], encoded: bool):
    """Each row's link holds exactly the row's identifiers, dictionary-encoded or not; links are distinct
    and count all rows.
    """
    plain = links(rows)
    columns = [f"id_{name}" for name in NAMES]
    events = plain.select(columns)
    if encoded:
        for place, name in enumerate(columns):
            events = events.set_column(place, name, encode(events[name]))
    codes, found = link_events(
        events.append_column("event_time", plain["first_seen"]).append_column(
            "_refused", plain["_refused"]
        ),
        NAMES,
    )
    assert found.take(pa.array(codes)).select(columns).to_pylist() == events.to_pylist()
    keys = [tuple(row.values()) for row in found.select(columns).to_pylist()]
    assert len(set(keys)) == len(keys)
    assert sum(found["events"].to_pylist()) == len(rows)
    for number, row in enumerate(found.to_pylist()):
        times = [
            t
            for t, code in zip(plain["first_seen"].to_pylist(), codes, strict=True)
            if code == number
        ]
        assert (row["first_seen"], row["last_seen"]) == (min(times), max(times))


def test_many_combinations_are_told_apart():
    """Of five namespaces with 8,191 values each: rows that differ in one value, or have each other's values."""
    every = list(map(str, range(8191)))
    events = pa.table(
        {
            "id_0": encode(pa.array([*every, "0", "4096", "5", "6", None])),
            **{f"id_{place}": encode(pa.array([*every, *"55655"])) for place in range(1, 5)},
            "event_time": pa.array([START] * 8196, pa.timestamp("us", "UTC")),
            "_refused": pa.array(["null"] + [None] * 8195, pa.string()),
        }
    )
    codes, found = link_events(events, [*"01234"])
    assert len(found) == len(set(codes.tolist())) == 8196
    names = [f"id_{place}" for place in range(5)]
    assert found.take(pa.array(codes)).select(names).to_pylist() == (
        events.select(names).to_pylist()
    )
