"""Raw fields are counted by name and kind, whatever the records hold."""

from __future__ import annotations

import json

import pyarrow as pa

from models.raw_fields import raw_fields


def records(*texts: str) -> pa.Table:
    return pa.table(
        {"@position": pa.array(range(1, len(texts) + 1)), "record": pa.array(texts, pa.string())}
    )


def test_fields_of_json_are_paths_with_the_kinds_of_their_values():
    """Nested objects and lists of objects are entered; null is no value; a record counts once for a field."""
    one = {"a": 1, "b": {"c": "x", "d": None}, "e": [{"f": True}, {"f": False}], "g": [1, 2]}
    looked, fields = raw_fields(
        records(json.dumps(one), json.dumps({"a": "1"}), json.dumps({"a": 1.5}))
    )
    assert looked == 3
    assert fields == {
        "$.a": {"number": 2, "text": 1}, "$.b": {"object": 1}, "$.b.c": {"text": 1}, "$.e": {"list": 1},
        "$.e[*].f": {"boolean": 1}, "$.g": {"list": 1},
    }  # fmt: skip


def test_names_that_are_data_are_not_kept():
    """Ids as keys are one field; an address as a key is none; a name of any length is cut."""
    text = json.dumps({"items": {"17": 1, "4711": 2}, "ann@example.com": 1, "x" * 999: 1})
    _, fields = raw_fields(records(text))
    assert fields["$.items.#"] == {"number": 1}
    assert "example" not in str(fields)
    assert max(map(len, fields)) == 80


def test_hostile_records_are_left_out_and_not_fallen_for():
    """No JSON, a scalar, keys that come twice, nesting by the thousand, a record of megabytes: the others count."""
    deep = '{"a":' * 50_000 + "1" + "}" * 50_000
    bad = [
        "nope",
        "\x00",
        "[" * 60_000,
        deep,
        '{"a": "' + "x" * 100_000 + '"}',
        '"text"',
        '{"a":1,"a":2}',
    ]
    _, fields = raw_fields(records(*bad, '{"good": 1}'))
    assert fields["$.good"] == {"number": 1}
    assert set(fields) <= {"$.good", "$.a"}


def test_of_many_records_a_sample_and_of_many_fields_the_most_frequent():
    """The cost of a batch is bounded; the same batch gives the same counts."""
    texts = [json.dumps({"a": 1} | {f"k{'abcdefghij'[n % 10]}{'x' * n}": 1}) for n in range(700)]
    looked, fields = raw_fields(records(*texts))
    assert looked == 200
    assert fields["$.a"] == {"number": 200}
    assert len(fields) <= 300
    assert (looked, fields) == raw_fields(records(*texts))


def test_columns_of_text_are_numbers_or_text():
    """Empty fields are no values; a name that SQL would take for something else is a name."""
    table = pa.table(
        {
            "@position": [1, 2, 3],
            'a" FROM b': ["1", "", " "],
            "c": ["x", "2.5", None],
            "empty": [""] * 3,
        }
    )
    assert raw_fields(table) == (3, {'a" FROM b': {"number": 1}, "c": {"number": 1, "text": 1}})
    assert raw_fields(table.slice(0, 0)) == (0, {})
