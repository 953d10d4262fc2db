"""Attributes that differ are told, and chance is kept out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import fisher_exact

from models.persona_attributes import attribute_differences


def drawn(seed: int, differs: bool, n: int = 600) -> tuple[pa.Table, pa.Table]:
    """Customers of three personas with ten attributes of three values; the first may differ."""
    random = np.random.default_rng(seed)
    ids = [f"c{i:04d}" for i in range(n)]
    persona = random.integers(1, 4, size=n)
    columns = {f"a{j}": random.integers(0, 3, size=n) for j in range(10)}
    if differs:
        columns["a0"] = np.where((persona == 1) & (random.random(n) < 0.4), 0, columns["a0"])
    texts = {name: [f"v{v}" for v in values] for name, values in columns.items()}
    return pa.table({"customer_id": ids, "persona_id": [f"p{p}" for p in persona]}), pa.table(
        {"customer_id": ids, **texts}
    )


def test_a_planted_difference_is_found_with_its_numbers():
    """Counts are those of the customers of whom the value is known, the test is Fisher's."""
    members, profiles = drawn(0, differs=True)
    found, tests = attribute_differences(members, profiles)
    assert tests == {"p1": 30, "p2": 30, "p3": 30}
    difference = found["p1"][0]
    assert (difference.attribute, difference.value) == ("a0", "v0")
    frame = members.to_pandas().merge(profiles.to_pandas())
    mine = frame.persona_id == "p1"
    has = frame.a0 == "v0"
    assert (difference.has, difference.members) == ((mine & has).sum(), mine.sum())
    assert (difference.others_have, difference.others) == ((~mine & has).sum(), (~mine).sum())
    p_value = fisher_exact(
        [[(mine & has).sum(), (mine & ~has).sum()], [(~mine & has).sum(), (~mine & ~has).sum()]]
    )[1]
    assert p_value <= difference.q_value <= 90 * p_value
    assert difference.feature.value == pytest.approx(difference.has / difference.members)


def test_of_chance_hardly_anything_is_told():
    """Without any difference, at most one run in twenty tells one or more, on average."""
    told = [bool(attribute_differences(*drawn(seed, False, n=150))[0]) for seed in range(12)]
    assert sum(told) <= 2


def test_the_undetermined_take_no_part_and_nobody_known_is_no_trouble():
    """Who has no persona, or nothing known, is in no count."""
    members = pa.table({"customer_id": ["a", "b"], "persona_id": ["undetermined", "no_structure"]})
    profiles = pa.table({"customer_id": ["a", "b"], "age": pa.array(["1", None])})
    assert attribute_differences(members, profiles) == ({}, {})
