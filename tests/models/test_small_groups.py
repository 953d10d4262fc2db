"""Segments of few customers are told as one group, which is large enough and no single value."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.config import SMALL
from models.small_groups import Size, fold, group_sizes, to_fold

journeys = st.lists(
    st.tuples(st.integers(0, 9).map(str), st.sampled_from([*"abcdef", None])), max_size=60
)


def table(rows: list[tuple[str, str | None]]) -> pa.Table:
    return pa.table(
        {
            "customer_id": pa.array([c for c, _ in rows], pa.string()),
            "device": pa.array([v for _, v in rows], pa.string()),
        }
    )


def customers(rows: pa.Table) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["device"] or "(none)", set()).add(row["customer_id"])
    return found


@given(journeys, st.integers(0, 8))
def test_no_published_group_is_small_or_told_by_subtraction(
    rows: list[tuple[str, str | None]], least: int
):
    """Every group has the least number of customers, unless all journeys together have not; the
    folded one holds several values; values large enough stay if nothing has to be hidden.
    """
    before = table(rows)
    folded = to_fold(group_sizes(before, ["device"]), least)
    after = customers(fold(before, folded))
    everybody = {c for c, _ in rows}
    if len(everybody) >= least:
        assert all(len(group) >= least for group in after.values())
    if SMALL in after:
        values = folded["device"]
        assert len(values) > 1 or len(customers(before)) == 1
        assert any(len(customers(before)[value]) < least for value in values)
    else:
        assert after == customers(before)
    assert set().union(*after.values()) == everybody if rows else after == {}


def test_sizes_of_buckets_add_up():
    """Customers are in one bucket each, so the sums of two buckets are the sizes of the whole."""
    one, other = table([("x", "a"), ("x", "b"), ("y", "a")]), table([("z", "b"), ("z", None)])
    sums: dict[str, list[int]] = {}
    for size in group_sizes(one, ["device"]) + group_sizes(other, ["device"]):
        total = sums.setdefault(size.value, [0, 0])
        total[0], total[1] = total[0] + size.customers, total[1] + size.first
    whole = group_sizes(pa.concat_tables([one, other]), ["device"])
    assert [Size("device", value, *sums[value]) for value in sorted(sums)] == whole
