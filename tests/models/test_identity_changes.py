"""What became of customers between two versions, by kind."""

from __future__ import annotations

import numpy as np

from models.identity_changes import changes


def found(old: dict[int, int], new: dict[int, int]) -> set[tuple[int | None, int | None, str, int]]:
    columns = [np.array(list(c), np.uint64) for c in (old, old.values(), new, new.values())]
    return {
        (
            row["old_customer_id"] and int(row["old_customer_id"], 16),
            row["new_customer_id"] and int(row["new_customer_id"], 16),
            row["kind"],
            row["identifiers"],
        )
        for row in changes(*columns).to_pylist()
    }  # type: ignore[misc]


def test_kinds():
    """Merged, split, moved and renamed are told apart; who stays and who is new is not listed."""
    assert found({1: 1, 2: 2, 3: 3}, {3: 3, 2: 1, 1: 1, 9: 9}) == {(2, 1, "merged", 1)}
    assert found({1: 1, 2: 1, 3: 1}, {1: 1, 2: 2, 3: 2}) == {(1, 2, "split", 2)}
    assert found({1: 1, 2: 1, 3: 3}, {1: 1, 2: 3, 3: 3}) == {(1, 3, "moved", 1)}
    assert found({1: 1, 2: 1}, {1: 7, 2: 7, 7: 7}) == {(1, 7, "renamed", 2)}


def test_identifiers_left_out_and_joined_again():
    """A device that becomes shared leaves its customer without splitting it, and may come back."""
    assert found({1: 1, 2: 1}, {1: 1, 2: 0}) == {(1, None, "left out", 1)}
    assert found({1: 1, 2: 0}, {1: 1, 2: 1}) == {(None, 1, "joined", 1)}


def test_nothing_before_and_nothing_after():
    """First runs and empty lakes."""
    assert found({}, {1: 1}) == found({1: 1}, {}) == found({}, {}) == set()
