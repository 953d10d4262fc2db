"""Long columns numbered in parts, by several threads, as a short one is in one go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models.distinct import ascending, ascending_rows, collect, distinct, numbered

SPREAD = np.uint64(0x9E3779B97F4A7C15)


@pytest.mark.parametrize("spread", [SPREAD, np.uint64(1)], ids=["hashes", "small numbers"])
def test_long_columns_are_numbered_as_they_are_met(spread: np.uint64):
    """Codes from 0 in the order of first appearance, whether the numbers fall into all parts or into one."""
    numbers = np.random.default_rng(3).integers(0, 200_000, 600_000).astype(np.uint64) * spread
    with ThreadPoolExecutor(2) as pool:
        codes, first = distinct(numbers, pool)
    values, places = np.unique(numbers, return_index=True)
    assert first.tolist() == sorted(places.tolist())
    assert (numbers[first][codes] == numbers).all()
    short, met = numbered(numbers)
    assert len(values) == len(first)
    assert (codes == short).all()
    assert (first == met).all()


@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_distinct_values_are_those_of_numpy(rows: int):
    """Each value once, ascending, of nothing as of many."""
    values = np.random.default_rng(rows).integers(0, 3000, rows).astype(np.uint64) * SPREAD
    assert ascending(values).tolist() == np.unique(values).tolist()
    beside = values[::-1] % np.uint64(3)
    pairs, counts = ascending_rows(values, beside)
    wanted = np.unique(np.stack([values, beside], axis=1), axis=0, return_counts=True)
    assert pairs.tolist() == wanted[0].tolist()
    assert counts.tolist() == wanted[1].tolist()


def test_nothing_is_no_error():
    """No rows, no codes."""
    with ThreadPoolExecutor(1) as pool:
        codes, first = distinct(np.zeros(0, np.uint64), pool)
    assert (len(codes), len(first)) == (0, 0)


def test_a_row_without_a_number_is_collected_last():
    """Pieces are read in the order of rows; of a sum the last place holds what belongs to none."""
    numbers = [np.array([0, -1, 1, 0], np.int32), np.array([1, -1, -1, -1], np.int32)]
    pieces = [np.array([5, 7]), np.array([1, 2])]
    assert collect(np.add, 3, numbers, pieces).tolist() == [7, 6, 17]
    assert collect(np.minimum, 3, numbers, pieces).tolist() == [2, 1, 1]
