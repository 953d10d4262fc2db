"""Identifiers are normalised, refused when they say nothing, and hashed when they are personal."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pytest

from contracts.config import Identity
from models.dictionaries import encode
from models.identifiers import Pseudonymiser, clean_identifiers
from models.refused_values import FIELD

KEY = Pseudonymiser(b"key")


def cleaned(
    values: list[str | None], namespace: str, identity: Identity | None = None
) -> list[str | None]:
    column = encode(pa.array(values, pa.string()))
    return clean_identifiers(column, namespace, identity or Identity(), KEY).values.to_pylist()


def test_values_that_say_nothing_are_refused():
    """Null-likes in any case, all zeros, blanks; what only looks like them stays."""
    nothing = [
        "",
        " ",
        "NULL",
        "Undefined",
        "0000",
        "-1",
        "0",
        "00000000-0000-0000-0000-000000000000",
        None,
    ]
    assert cleaned(nothing, "user_id") == [None] * len(nothing)
    assert cleaned(["0001", "nullable", " 7 ", "none@x"], "user_id")[:3] == [
        "0001",
        "nullable",
        "7",
    ]


def test_declared_null_likes_and_blocked_values_are_compared_in_one_spelling():
    """However the configuration writes them."""
    identity = Identity(
        null_like=("N.N.",), blocked={"email": ("Kiosk@Shop.example",), "user_id": ("13",)}
    )
    assert cleaned(["n.n.", "13", "14"], "user_id", identity) == [None, None, "14"]
    assert cleaned([" kiosk@shop.EXAMPLE"], "email", identity) == [None]


def test_a_personal_value_becomes_its_keyed_hash():
    """HMAC-SHA-256 over namespace and normalised value, 128 bits; the same for every spelling."""
    expected = hmac.new(b"key", b"email\x1fann@example.com", hashlib.sha256).hexdigest()[:32]
    assert cleaned([" Ann@Example.COM", "ann@example.com"], "email") == [expected, expected]
    assert cleaned(["no address"], "email") == [None]
    assert Pseudonymiser(b"other").digest("email", "ann@example.com") != expected
    assert KEY.digest("phone", "ann@example.com") != expected


def test_an_address_in_a_namespace_that_is_not_personal_is_hashed_all_the_same():
    """People put addresses everywhere."""
    (hashed, plain) = cleaned(["ann@example.com", "42"], "user_id")
    assert plain == "42"
    assert hashed is not None
    assert "@" not in hashed
    assert len(hashed) == 32


def test_phones_are_digits():
    """International prefixes agree; too few digits are no phone."""
    one, two, three = cleaned(["+49 (30) 1234-567", "0049301234567", "110"], "phone")
    assert one == two is not None
    assert three is None


def test_without_a_key_nothing_personal_passes():
    """No key is an error, never a raw value."""
    column = encode(pa.array(["ann@example.com"]))
    with pytest.raises(ValueError, match="no key"):
        clean_identifiers(column, "email", Identity(), None)
    found = clean_identifiers(encode(pa.array(["7"])), "user_id", Identity(), None)
    assert found.values.to_pylist() == ["7"]


def test_what_was_refused_is_told_with_its_reason():
    """Words that mean nothing as they are, blocked values as the lake would know them; blanks and what is
    no address are no values at all.
    """
    identity = Identity(blocked={"email": ("till@shop.example",), "user_id": ("13",)})

    def told(values: list[str], namespace: str) -> list[list[str] | None]:
        found = clean_identifiers(encode(pa.array(values)), namespace, identity, KEY).refused
        return [text and text.split(FIELD) for text in found.to_pylist()] if found else []

    addresses = ["NULL ", "Till@Shop.example", "no address", "", "ann@example.com"]
    till = KEY.digest("email", "till@shop.example")
    assert told(addresses, "email") == [
        ["email", "null-like", "null"],
        ["email", "blocked", till],
        *[None] * 3,
    ]
    assert told(["00-00", "13", "14"], "user_id") == [
        ["user_id", "null-like", "00-00"],
        ["user_id", "blocked", "13"],
        None,
    ]
    assert told(["14"], "user_id") == []
