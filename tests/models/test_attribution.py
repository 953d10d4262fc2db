"""Attribution: the worked example, sums to the last digit, every model recomputed from paths."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.schemas import table_schema
from models.attribution import DIRECT, count_paths, credit
from models.counts import merge_counts

STEPS = pa.schema(
    [
        *((name, pa.string()) for name in ("journey_id", "touchpoint", "channel")),
        ("step", pa.int32()),
        ("converts", pa.bool_()),
    ]
)
JOURNEYS = pa.schema(
    [
        *((name, pa.string()) for name in ("journey_id", "outcome")),
        ("value", pa.decimal128(18, 4)),
    ]
)
Walk = tuple[str, str, str]  # outcome, value, touchpoints as letters; $ converts


def world(walks: list[Walk], seed: int = 0, first: int = 0) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys of walks, shuffled."""
    rng = np.random.default_rng(seed)
    steps = [
        {
            "journey_id": f"j{j}",
            "touchpoint": letter,
            "channel": "web" if letter in "ac" else "email",
            "step": i + 1,
            "converts": letter == "$",
        }
        for j, (_, _, path) in enumerate(walks, first)
        for i, letter in enumerate(path)
    ]
    journeys = [
        {"journey_id": f"j{j}", "outcome": outcome, "value": Decimal(value)}
        for j, (outcome, value, _) in enumerate(walks, first)
    ]
    tables = pa.Table.from_pylist(steps, STEPS), pa.Table.from_pylist(journeys, JOURNEYS)
    return tuple(t.take(rng.permutation(t.num_rows)) for t in tables)  # type: ignore[return-value]


def credits(table: pa.Table, model: str, level: str = "touchpoint") -> dict[str, Decimal]:
    """Conversions credited by a model, by node."""
    return {
        row["node"]: row["conversions"]
        for row in table.to_pylist()
        if (row["model"], row["level"]) == (model, level)
    }


def test_worked_example_is_exact() -> None:
    """DESIGN's five journeys: google is credited exactly 2.4 conversions, mailing exactly 1.6."""
    walks = [("converted", "10", "g$")] * 2 + [
        ("converted", "10", "m$"),
        ("converted", "10", "gm$m"),
        ("lapsed", "0", "g"),
    ]
    table = credit(count_paths(*world(walks)))
    assert table.schema == table_schema("attribution")
    assert credits(table, "removal_effect") == {
        "g": Decimal("2.4"), "m": Decimal("1.6"),
    }  # fmt: skip
    assert credits(table, "first") == {"g": 3, "m": 1}
    assert credits(table, "last") == {"g": 2, "m": 2}
    assert credits(table, "linear") == {"g": Decimal("2.5"), "m": Decimal("1.5")}


def test_what_follows_a_conversion_earns_nothing() -> None:
    """A path ends at its first conversion; one that begins with it came directly."""
    walks = [("converted", "7.5", "$"), ("converted", "2.5", "a$b$"), ("open", "0", "b")]
    table = credit(count_paths(*world(walks)))
    for model in ("first", "last", "linear", "removal_effect"):
        assert credits(table, model) == {"a": 1, "b": 0, DIRECT: 1}
    values = {r["node"]: r["value"] for r in table.to_pylist() if r["model"] == "last"}
    assert values["a"] == Decimal("2.5")


WALKS = st.lists(
    st.tuples(
        st.sampled_from(["converted", "lapsed", "open"]),
        st.decimals(-50, 500, places=4).map(str),
        st.text("abc", min_size=1, max_size=6),
        st.text("abc$", max_size=2),
    ).map(lambda w: (w[0], w[1], w[2] + ("$" + w[3] if w[0] == "converted" else ""))),
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(WALKS)
def test_models_equal_recomputation(walks: list[Walk]) -> None:
    """First, last and linear equal fractions added path by path; all models sum to the totals."""
    table = credit(count_paths(*world(walks)))
    won = [(Decimal(value), path.split("$")[0]) for _, value, path in walks if "$" in path]
    expected: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for _, path in won:
        expected["first"][path[0]] += 1
        expected["last"][path[-1]] += 1
        for letter in path:
            expected["linear"][letter] += Fraction(1, len(path))
    for model, nodes in expected.items():
        found = credits(table, model)
        for node in found:
            assert float(found[node]) == pytest.approx(float(nodes[node]), abs=1.1e-6)
    for level in ("touchpoint", "channel"):
        for model in ("first", "last", "linear", "removal_effect") if won else ():
            rows = [r for r in table.to_pylist() if (r["model"], r["level"]) == (model, level)]
            assert sum(r["conversions"] for r in rows) == len(won)
            assert sum(r["value"] for r in rows) == sum(value for value, _ in won)
            assert sum(r["credit"] for r in rows) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(WALKS, st.integers(0, 15))
def test_counts_of_buckets_add_up(walks: list[Walk], cut: int) -> None:
    """Journeys split over buckets and merged in any order give the counts of the whole."""
    parts = [count_paths(*world(walks[:cut])), count_paths(*world(walks[cut:], first=cut))]
    whole = count_paths(*world(walks, seed=1))
    assert merge_counts(parts).equals(whole)
    assert merge_counts(reversed(parts)).equals(whole)


def test_no_conversion_no_credit() -> None:
    """Where nobody converted there is nothing to share out."""
    assert credit(count_paths(*world([("lapsed", "0", "ab")]))).num_rows == 0
    assert credit(count_paths(*world([]))).num_rows == 0


def test_outcome_and_steps_must_agree() -> None:
    """A converted journey without a conversion, or the reverse, is refused."""
    for walks in ([("converted", "1", "ab")], [("lapsed", "1", "a$")]):
        with pytest.raises(ValueError, match="outcome must be 'converted'"):
            count_paths(*world(walks))
