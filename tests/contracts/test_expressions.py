"""Expressions say where a value comes from, in a form that can be read back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.expressions import (
    Coalesce,
    Concat,
    Const,
    Expression,
    Lookup,
    Lower,
    Ref,
    Sql,
    references,
)

EXPRESSION: TypeAdapter[Any] = TypeAdapter(Expression)


def read(value: Any) -> Any:
    return EXPRESSION.validate_python(value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("$.user.email", Ref(ref="$.user.email")),
        ("email", Ref(ref="email")),
        ({"path": "$.a"}, Ref(ref="$.a")),
        ({"column": "a b"}, Ref(ref="a b")),
        ({"const": "web"}, Const(const="web")),
        (7, Const(const="7")),
        ({"const": 1}, Const(const="1")),
        ({"const": True}, Const(const="true")),
        ({"coalesce": ["$.a", "$.b"]}, Coalesce(coalesce=(Ref(ref="$.a"), Ref(ref="$.b")))),
        (
            {"concat": ["$.a", {"const": "-"}]},
            Concat(concat=(Ref(ref="$.a"), Const(const="-"))),
        ),
        ({"lower": {"path": "$.a"}}, Lower(lower=Ref(ref="$.a"))),
        (
            {"lookup": "$.a", "map": {True: 1, "no": False}, "default": 0},
            Lookup(lookup=Ref(ref="$.a"), map={"true": "1", "no": "false"}, default="0"),
        ),
        ({"sql": "upper({$.a})"}, Sql(sql="upper({$.a})")),
    ],
)
def test_each_form_is_read(written: Any, meant: Any) -> None:
    assert read(written) == meant


def test_a_parsed_expression_passes_unchanged() -> None:
    parsed = read({"coalesce": ["$.a", {"lower": "$.b"}]})
    assert read(parsed) is parsed


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (None, "null is no expression; leave the field out"),
        (True, "true is no expression; write {const: true}"),
        (
            {"konst": "web"},
            "{'konst': 'web'} is no expression; allowed: a path or column, {const: ...}, "
            "{coalesce: ...}, {concat: ...}, {lower: ...}, {lookup: ...}, {sql: ...}",
        ),
        (
            ["$.a"],
            "['$.a'] is no expression; allowed: a path or column, {const: ...}, "
            "{coalesce: ...}, {concat: ...}, {lower: ...}, {lookup: ...}, {sql: ...}",
        ),
    ],
)
def test_what_is_no_expression_is_refused_with_what_is_allowed(written: Any, message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read(written)
    assert [e["msg"] for e in refusal.value.errors()] == [f"Value error, {message}"]


@pytest.mark.parametrize(
    "written",
    [
        "",
        {"path": ""},
        {"coalesce": []},
        {"concat": []},
        {"lookup": "$.a"},
        {"lookup": "$.a", "map": {}},
        {"const": "a", "extra": 1},
        {"sql": ""},
    ],
)
def test_incomplete_and_overfull_forms_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        read(written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$.a", ("$.a",)),
        ({"const": "a"}, ()),
        ({"coalesce": ["$.a", {"concat": ["$.b", {"lower": "$.c"}]}]}, ("$.a", "$.b", "$.c")),
        ({"lookup": {"lower": "$.a"}, "map": {"x": "y"}}, ("$.a",)),
        ({"sql": "CASE WHEN {$.a} = 'x' THEN {b c} ELSE {$.a} END"}, ("$.a", "b c", "$.a")),
    ],
)
def test_the_references_of_an_expression_are_listed_in_order(
    written: Any, expected: tuple[str, ...]
) -> None:
    assert references(read(written)) == expected
