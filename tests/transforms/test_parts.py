"""Splitting and spilling keep every row, in order, under its code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dictionaries import encode
from transforms.parts import read_parts, spill, split

ROWS = st.lists(st.tuples(st.integers(-3, 3), st.none() | st.sampled_from("ab")), max_size=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spills")


def table(rows: list[tuple[int, str | None]]) -> tuple[pa.Table, np.ndarray]:
    """Row numbers and texts, in two chunks with a dictionary each."""
    texts = [encode(pa.array([t for _, t in part], pa.string())) for part in (rows[:3], rows[3:])]
    columns = {
        "n": pa.array(range(len(rows)), pa.int64()),
        "t": pa.chunked_array(texts).unify_dictionaries(),
    }
    return pa.table(columns), np.array([code for code, _ in rows], np.int64)


def expected(rows: list[tuple[int, str | None]]) -> dict[int, list[dict[str, object]]]:
    found: dict[int, list[dict[str, object]]] = {}
    for number, (code, text) in enumerate(rows):
        found.setdefault(code, []).append({"n": number, "t": text})
    return dict(sorted(found.items()))


@given(ROWS)
def test_split_keeps_every_row_in_order(rows: list[tuple[int, str | None]]):
    """Codes ascend; within a code rows keep their order."""
    pieces = [(code, piece.to_pylist()) for code, piece in split(*table(rows))]
    assert pieces == list(expected(rows).items())


@settings(deadline=None)
@given(ROWS)
def test_spill_and_read_back(folder: Path, rows: list[tuple[int, str | None]]):
    """Parts number their rows through the file, and reading gives what was spilled."""
    parts = spill(*table(rows), folder, "rows")
    assert [code for code, _ in parts] == list(expected(rows))
    read = {part: piece.to_pylist() for part, piece in read_parts([p for _, p in reversed(parts)])}
    assert {code: read[part] for code, part in parts} == expected(rows)
    first = 0
    for _, part in parts:
        assert (part.first_row, part.rows) == (first, len(read[part]))
        first += part.rows


def test_nothing_is_spilled_for_no_rows_and_no_half_file_has_a_name(tmp_path: Path):
    """Only whole files bear a name that parts refer to."""
    assert spill(*table([]), tmp_path, "none") == []
    spill(*table([(1, "a")]), tmp_path, "one")
    assert [path.suffix for path in tmp_path.iterdir()] == [".arrows"]


def test_parts_are_read_in_the_order_of_their_names(tmp_path: Path):
    """Whatever order a shuffle delivers them in."""
    parts = [
        spill(*table([(0, text)]), tmp_path, name)[0][1] for name, text in (("b", "b"), ("a", "a"))
    ]
    assert [piece["t"].to_pylist() for _, piece in read_parts(parts)] == [["a"], ["b"]]
