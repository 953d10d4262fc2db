"""Copies of one event are known by key, and the earliest received stays."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from models.event_keys import KEY_SCHEMA, bucket_of, key_events, losers


def keys(*rows: tuple[int, int, int, int]) -> pa.Table:
    """Rows of (key, key_rest, ingest_us, content)."""
    columns = list(zip(*rows, strict=True)) or [()] * 4
    values = [*columns, [0] * len(rows), range(len(rows))]
    return pa.table(
        [pa.array(v, f.type) for v, f in zip(values, KEY_SCHEMA, strict=True)], schema=KEY_SCHEMA
    )


def test_the_earliest_copy_stays_and_ties_go_to_the_smaller_content():
    """Row 1 was received first; of rows 3 and 4, alike in time, the smaller content stays."""
    table = keys((9, 1, 20, 5), (9, 1, 10, 7), (9, 1, 30, 1), (8, 1, 10, 6), (8, 1, 10, 5))
    assert losers(table).tolist() == [0, 2, 3]


def test_keys_that_differ_in_their_rest_are_two_events():
    """All 96 bits count."""
    assert losers(keys((9, 1, 1, 1), (9, 2, 1, 1))).tolist() == []


def test_no_keys_no_losers():
    """Empty in, empty out."""
    assert losers(keys()).tolist() == []


SMALL = st.integers(0, 3)


@given(st.lists(st.tuples(SMALL, SMALL, SMALL, SMALL), max_size=30))
def test_losers_equal_brute_force(rows: list[tuple[int, int, int, int]]):
    """Every copy but the least by (time of receipt, content, place)."""
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for place, (key, rest, ingest, content) in enumerate(rows):
        copy = (ingest, content, place)
        best[key, rest] = min(best.get((key, rest), copy), copy)
    staying = {place for _, _, place in best.values()}
    assert losers(keys(*rows)).tolist() == [p for p in range(len(rows)) if p not in staying]


def test_keys_follow_source_and_id_alone():
    """The same id is another event in another source, and the same event at another time."""
    times = [datetime(2025, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, tzinfo=UTC)]
    moments = pa.array(times, pa.timestamp("us", "UTC"))
    events = pa.table(
        {
            "event_id": ["a", "a"], "event_time": moments, "ingest_time": moments,
            "record_hash": pa.array([1, 2], pa.uint64()),
        }
    )  # fmt: skip
    web, shop = key_events(events, "web"), key_events(events, "shop")
    assert web.schema == KEY_SCHEMA
    assert web["key"][0] == web["key"][1] != shop["key"][0]
    assert web["day"].to_pylist() == [20089, -1]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20), st.integers(0, 10))
def test_doubling_the_buckets_splits_each_in_two(hashes: list[int], bits: int):
    """Bucket b of n becomes buckets 2b and 2b+1 of 2n, all within range."""
    values = np.array(hashes, np.uint64)
    some, twice = bucket_of(values, 1 << bits), bucket_of(values, 2 << bits)
    assert (twice // 2 == some).all()
    assert ((some >= 0) & (some < 1 << bits)).all()
