"""Dictionaries, DuckDB queries, money and hexadecimal: small kernels that others stand on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.counts import sum_by
from models.dictionaries import DICTIONARY, constant, encode, map_values, strip
from models.engine import query
from models.hexadecimal import hex_text
from models.money import MONEY, from_units, to_units

TEXTS = st.lists(st.none() | st.sampled_from(["a", " ", "b ", ""]), max_size=8)


@given(TEXTS)
def test_a_function_of_the_values_is_applied_to_the_rows(texts: list[str | None]):
    """map_values gives what the function gives row by row; no null hides in the dictionary."""
    mapped = map_values(encode(pa.array(texts, pa.string())), strip)
    assert mapped.to_pylist() == [(t.strip() or None) if t is not None else None for t in texts]
    assert mapped.dictionary.null_count == 0


def test_columns_without_a_value_are_dictionaries_too():
    """A column of nulls, and a constant, have the type of the others."""
    assert encode(pa.nulls(2)).type == DICTIONARY
    assert constant("x", 3).to_pylist() == ["x"] * 3
    assert constant("x", 0).type == DICTIONARY
    chunks = pa.chunked_array([["a"], ["b", "a"]])
    assert encode(chunks).to_pylist() == ["a", "b", "a"]


def test_a_query_leaves_nothing_behind_and_threads_do_not_meet():
    """Each thread has a connection and a time zone of its own; a failed query forgets its
    tables.
    """

    def hour(zone: str) -> int:
        (row,) = query("SELECT hour(TIMESTAMPTZ '2025-01-01 12:00:00+00') AS h", zone).to_pylist()
        return int(row["h"])

    zones = ["UTC", "Asia/Tokyo", "UTC", "America/New_York"] * 5
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(hour, zones)) == [12, 21, 12, 7] * 5
    with pytest.raises(duckdb.Error):
        query("SELECT no_such_column FROM t", t=pa.table({"x": [1]}))
    with pytest.raises(duckdb.Error):
        query("SELECT * FROM t")


def test_rows_of_a_query_keep_their_order():
    """What is selected without ORDER BY comes as it went in."""
    table = pa.table({"x": np.arange(300_000)})
    assert query("SELECT x FROM t", t=table)["x"].to_numpy().tolist() == list(range(300_000))


@given(st.lists(st.none() | st.integers(-(10**18) + 1, 10**18 - 1), max_size=8), st.integers(0, 3))
def test_money_survives_the_way_to_units_and_back(units: list[int | None], skip: int):
    """Exact for all 18 digits, either sign, nulls, and slices."""
    money = pa.array([None if u is None else Decimal(u).scaleb(-4) for u in units], MONEY)
    part = money.slice(skip)
    numbers = to_units(part)
    assert numbers.tolist() == [u or 0 for u in units[skip:]]
    valid = np.array([u is not None for u in units[skip:]], bool)
    assert from_units(numbers, valid).to_pylist() == part.to_pylist()
    from_units(numbers, valid).validate(full=True)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_hexadecimal_is_pythons(hashes: list[int]):
    """Sixteen digits after the prefix."""
    text = hex_text(np.array(hashes, np.uint64), "j")
    assert text.to_pylist() == [f"j{h:016x}" for h in hashes]
    text.validate(full=True)


def test_chunks_are_encoded_with_one_dictionary() -> None:
    """Values that first occur in a later chunk keep their places; nulls stay null."""
    column = pa.chunked_array([["a", None], ["b", "a"], [], ["c", "b"]], pa.string())
    encoded = encode(column)
    assert encoded.to_pylist() == ["a", None, "b", "a", "c", "b"]
    assert sorted(encoded.dictionary.to_pylist()) == ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(-(2**60), 2**60)), max_size=4))
def test_sums_are_the_same_with_and_without_sorting(rows: list[tuple[int, int]]) -> None:
    """Few or many keys for their number: ascending keys, exact sums; a key whose sum is 0 stays."""
    keys, values = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    expected: dict[int, int] = {}
    for key, value in sorted(rows):
        expected[key] = expected.get(key, 0) + value
    for size in (None, 8, 10**6):
        found, total = sum_by(keys, values, size)
        assert dict(zip(found.tolist(), total.tolist(), strict=True)) == expected
        assert found.tolist() == list(expected)
