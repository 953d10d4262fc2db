"""Consent as a function of time: the last statement holds, whatever order they came in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.consent import Withdrawals

Statement = tuple[int, int, bool]
statements = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.booleans()), max_size=12)


def withdrawn(said: list[Statement], customer: int, time: int) -> bool:
    """By the words of the definition."""
    mine = [(t, granted) for c, t, granted in said if c == customer != 0 and t <= time]
    latest = [granted for t, granted in mine if t == max(at for at, _ in mine)]
    return bool(latest) and not all(latest)


def arrays(said: list[Statement]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = list(zip(*said, strict=True)) or [(), (), ()]
    return tuple(
        np.array(column, kind)
        for column, kind in zip(columns, (np.uint64, np.int64, bool), strict=True)
    )  # type: ignore[return-value]


QUESTIONS = [(customer, time) for customer in range(6) for time in range(-1, 11)]


def asked(said: Withdrawals) -> list[bool]:
    customers, times = (np.array(column) for column in zip(*QUESTIONS, strict=True))
    return said.hold(customers.astype(np.uint64), times).tolist()


@given(statements)
def test_the_last_statement_holds(said: list[Statement]):
    """For every customer and moment as the definition says; of one moment the withdrawal."""
    assert asked(Withdrawals(*arrays(said))) == [withdrawn(said, c, t) for c, t in QUESTIONS]


@given(statements)
def test_withdrawn_entirely_ends_what_was_before(said: list[Statement]):
    """If a customer's last word is a withdrawal, nothing of the customer is left, at no time."""
    expected = [withdrawn(said, customer, 99) for customer, _ in QUESTIONS]
    assert asked(Withdrawals(*arrays(said), entirely=True)) == expected
