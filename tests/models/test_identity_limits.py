"""Customers under limits: what a plain reading of docs/adr/0005 gives, whatever the order of links."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Identity, Namespace
from models.identifier_hashes import identifier_hash
from models.identity import customer_ids, resolve
from models.identity_refusals import refusals
from models.links import hash_links

NAMES = ("user_id", "email", "phone", "anonymous_id")
START = datetime(2025, 1, 1, tzinfo=UTC)
Link = tuple[str | None, str | None, str | None, str | None, int]
Node = tuple[str, str]


def identity(**changes: Any) -> Identity:
    namespaces = {
        "user_id": Namespace(personal=False, limit=1),
        "email": Namespace(personal=False, limit=2),
        "phone": Namespace(personal=False, limit=2),
        "anonymous_id": Namespace(personal=False, limit=2, device=True),
    }
    return Identity(namespaces=namespaces, **changes)


def find(
    rows: list[Link], rules: Identity, splits: Iterable[Node] = ()
) -> tuple[list[str | None], dict[Node, dict[str, Any]], list[dict[str, Any]]]:
    """Customers of links, rows of `identities` by identifier, rows of `identity_refusals`."""
    times = pa.array([START + timedelta(hours=row[4]) for row in rows], pa.timestamp("us", "UTC"))
    columns: dict[str, pa.Array] = {
        f"id_{name}": pa.array([row[place] for row in rows], pa.string())
        for place, name in enumerate(NAMES)
    }
    columns |= {"first_seen": times, "last_seen": times, "events": pa.array([1] * len(rows))}
    columns["_refused"] = pa.nulls(len(rows), pa.string())
    links = hash_links(pa.table(columns), NAMES)

    def read(name: str) -> list[pa.Array]:
        return [links[name].combine_chunks()[at : at + 3] for at in range(0, len(rows), 3)]

    found = resolve(read, NAMES, rules, splits)
    identities = {
        (row["namespace"], row["value"]): row
        for piece in found.identities(read)
        for row in piece.to_pylist()
    }
    refused = refusals(found, read, rules).to_pylist()
    return customer_ids(found.link_customers).to_pylist(), identities, refused


def nodes_of(row: Link) -> list[Node]:
    return [(name, value) for name, value in zip(NAMES, row[:4], strict=True) if value is not None]


def plainly(rows: list[Link], rules: Identity) -> tuple[dict[Node, frozenset[Node]], set[Any]]:
    """The four steps one by one: the customer of every identifier that ties, the pairs refused."""
    rank = {name: place for place, name in enumerate(NAMES)}
    nodes = {node for row in rows for node in nodes_of(row)}
    partners: dict[Node, dict[str, set[Node]]] = defaultdict(lambda: defaultdict(set))
    first: dict[tuple[Node, Node], int] = {}
    for row in rows:
        for one in nodes_of(row):
            for other in nodes_of(row):
                if rank[one[0]] != rank[other[0]]:
                    partners[one][other[0]].add(other)
                if rank[one[0]] < rank[other[0]]:
                    first[one, other] = min(first.get((one, other), row[4]), row[4])
    out = {
        node
        for node in nodes
        for name, seen in partners[node].items()
        if len(seen) > (rules.max_stronger if rank[name] < rank[node[0]] else rules.max_weaker)
    }
    devices = {n for n in nodes if rules.namespaces[n[0]].device and rules.shared_devices != "none"}
    group = {node: {node} for node in nodes}
    refused = set()

    def unite(edges: Iterable[tuple[Node, Node]], one_known: bool) -> None:
        order = sorted(
            (rank[a[0]], rank[b[0]], first[a, b], identifier_hash(*a), identifier_hash(*b), a, b)
            for a, b in edges
        )
        for *_, a, b in order:
            if group[a] is group[b]:
                continue
            both = group[a] | group[b]
            held = Counter(name for name, _ in both)
            known = {frozenset(customer[n]) for n in both if n not in devices} if one_known else ()
            if len(known) > 1 or any(
                count > (rules.namespaces[name].limit or len(nodes)) for name, count in held.items()
            ):
                refused.add((a, b))
                continue
            for node in both:
                group[node] = both

    usable = [(a, b) for a, b in first if a not in out and b not in out]
    unite([(a, b) for a, b in usable if a not in devices and b not in devices], False)
    customer = dict(group)
    shared = {
        device
        for device in devices - out
        if len({id(customer[a]) for a, b in usable if b == device and a not in devices}) > 1
    }
    left = [(a, b) for a, b in usable if not shared & {a, b} and devices & {a, b}]
    unite(left, True)
    return {n: frozenset(group[n]) for n in nodes - out - shared}, refused


VALUE = st.none() | st.sampled_from("abcd")
LINK = st.tuples(VALUE, VALUE, VALUE, VALUE, st.integers(0, 5))
RULES = st.builds(
    identity,
    shared_devices=st.sampled_from(["device_split", "none"]),
    max_stronger=st.integers(1, 4),
    max_weaker=st.integers(2, 4),
)


@settings(max_examples=500)
@given(st.lists(LINK, max_size=14), RULES, st.randoms(use_true_random=False))
def test_customers_are_what_the_rules_say_in_any_order(rows: list[Link], rules: Any, chance: Any):
    """Every identifier has the customer, and every pair the refusal, of a plain reading of the
    rules; no limit is broken, unique identifiers never meet; shuffled and repeated links give the
    same.
    """
    links, identities, refused = find(rows, rules)
    customers, pairs = plainly(rows, rules)
    groups: dict[str, set[Node]] = defaultdict(set)
    for node, row in identities.items():
        if row["customer_id"] is not None:
            groups[row["customer_id"]].add(node)
    assert {frozenset(group) for group in groups.values()} == set(customers.values())
    assert {node for node, row in identities.items() if row["customer_id"]} == set(customers)
    told = {
        ((r["namespace"], r["value"]), (r["beside_namespace"], r["beside_value"]))
        for r in refused
        if r["reason"] == "limit"
    }
    assert told == pairs
    for group in groups.values():
        held = Counter(name for name, _ in group)
        assert held["user_id"] <= 1
        assert all(count <= rules.namespaces[name].limit for name, count in held.items())
    again = rows + rows[: len(rows) // 2]
    chance.shuffle(again)
    same_links, same, same_refused = find(again, rules)
    known = {row[:4]: customer for row, customer in zip(rows, links, strict=True)}
    assert [known[row[:4]] for row in again] == same_links
    assert {n: r["customer_id"] for n, r in same.items()} == {
        n: r["customer_id"] for n, r in identities.items()
    }
    assert {tuple(list(r.values())[:6]) for r in same_refused} == {
        tuple(list(r.values())[:6]) for r in refused
    }


def test_a_household_stays_two_people():
    """Two logins on one tablet: the tablet is shared and ties nobody, own phones join."""
    links, identities, refused = find(
        [
            ("ann", None, None, "phone-a", 1),
            ("bob", None, None, "phone-b", 2),
            ("ann", None, None, "tablet", 3),
            ("bob", None, None, "tablet", 4),
            (None, None, None, "tablet", 5),
        ],
        identity(),
    )
    assert links[0] == links[2] != links[1] == links[3]
    assert links[4] is None
    assert identities["anonymous_id", "tablet"]["rule"] == "shared"
    (row,) = refused
    assert (row["value"], row["reason"]) == ("tablet", "shared")
    assert (row["customers"], row["identifiers"], row["events"]) == (2, 4, 4)


def test_two_guests_on_one_browser_are_two_people_unless_devices_are_identifiers_like_others():
    """A browser is no evidence that two addresses are one person; who knows better may say so."""
    rows: list[Link] = [(None, "m1", None, "d", 1), (None, "m2", None, "d", 2)]
    assert len(set(find(rows, identity())[0])) == 2
    assert len(set(find(rows, identity(shared_devices="none"))[0])) == 1


def test_a_second_login_is_refused_and_recorded():
    """One address under two logins goes to the older; the refused pair says what it would have
    merged.
    """
    links, _, refused = find(
        [("ann", "m", None, None, 1), ("bob", "m", None, None, 2), ("bob", None, None, "d", 3)],
        identity(),
    )
    assert links[0] != links[1] == links[2]
    (row,) = refused
    assert (row["namespace"], row["value"], row["beside_value"]) == ("user_id", "bob", "m")
    assert row["detail"] == "more than 1 user_id"
    assert (row["customers"], row["identifiers"], row["events"]) == (2, 4, 3)
    assert row["first_seen"] == START + timedelta(hours=2)


def test_a_crowded_address_ties_nobody():
    """Ten logins with one address: nobody's; what carries nothing else is unidentified."""
    rows: list[Link] = [(f"u{n}", "cashier", None, None, n) for n in range(10)]
    links, identities, refused = find(
        [*rows, (None, "cashier", None, None, 11)], identity(max_stronger=9)
    )
    assert len(set(links[:10])) == 10
    assert links[10] is None
    assert identities["email", "cashier"]["rule"] == "says nothing"
    assert [(r["detail"], r["customers"]) for r in refused] == [("seen with 10 user_id", 10)]


def test_a_split_holds_and_leaves_the_rest():
    """An identifier that was split has a customer of its own; those it tied fall apart."""
    rows: list[Link] = [
        ("u", "m", None, None, 1),
        (None, "m", "p", None, 2),
        (None, "m", None, None, 3),
    ]
    assert len(set(find(rows, identity())[0])) == 1
    links, identities, refused = find(rows, identity(), [("email", "m"), ("email", "unheard of")])
    assert len(set(links)) == 3
    assert identities["email", "m"]["rule"] == "split by order"
    assert [(r["reason"], r["customers"]) for r in refused] == [("split", 3)]


@pytest.mark.parametrize("mode", ["device_split", "none"])
def test_too_many_browsers_are_strangers(mode: str):
    """The two oldest of four browsers belong to the login, as its limit says."""
    rows: list[Link] = [("u", None, None, f"d{n}", n) for n in (3, 1, 2, 0)]
    _, identities, refused = find(rows, identity(shared_devices=mode))
    own = {
        n[1]
        for n, r in identities.items()
        if r["customer_id"] == identities["user_id", "u"]["customer_id"]
    }
    assert own == {"u", "d0", "d1"}
    assert [r["beside_value"] for r in refused] == ["d2", "d3"]
