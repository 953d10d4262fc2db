"""Ways, settled moves and sessions against a walk through the steps one by one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from models.absorbing_chain import CONVERSION, DROP_OFF, OPEN, START
from models.transition_counts import count_transitions
from models.transition_tables import finish

STAGES = ("see", "think", "buy", "care")
STAGE_OF = dict(zip("abcde", ("see", "think", "buy", "care", "odd"), strict=True))
ENDS = {"converted": CONVERSION, "lapsed": DROP_OFF, "open": OPEN}
Walk = tuple[int, str, str, int, int]
"""Customer, outcome, touchpoints (capitals convert), number of settled steps, session mask."""

WALKS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["converted", "lapsed", "open"]),
        st.text("abcde", min_size=1, max_size=6),
        st.text("abCdE", max_size=3),
        st.integers(0, 9),
        st.integers(0, 511),
    ).map(lambda w: (w[0], w[1], w[2] + ("C" + w[3] if w[1] == "converted" else ""), *w[4:])),
    max_size=12,
)


def tables(walks: list[Walk]) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys, shuffled."""
    rng = np.random.default_rng(len(walks))
    steps = [
        {
            "journey_id": f"j{j}",
            "step": i + 1,
            "touchpoint": letter.lower(),
            "stage": STAGE_OF[letter.lower()],
            "channel": "web" if letter in "acC" else "shop",
            "session_id": f"s{j}-{(mask & ((2 << i) - 2)).bit_count()}",
            "dwell_s": float(i + 1) if i + 1 < len(path) else None,
            "csat": None,
            "converts": letter.isupper(),
            # An open journey's last step can't be older than the gap.
            "settled": i < settled and (outcome != "open" or i + 1 < len(path)),
        }
        for j, (_, outcome, path, settled, mask) in enumerate(walks)
        for i, letter in enumerate(path)
    ]
    schema = pa.schema(
        [
            *((n, pa.string()) for n in ("journey_id", "touchpoint", "stage", "channel")),
            ("session_id", pa.string()),
            ("step", pa.int32()),
            *((n, pa.float64()) for n in ("dwell_s", "csat")),
            *((n, pa.bool_()) for n in ("converts", "settled")),
        ]
    )
    journeys = pa.table(
        {
            "journey_id": pa.array([f"j{j}" for j in range(len(walks))], pa.string()),
            "customer_id": pa.array([f"c{w[0]}" for w in walks], pa.string()),
            "outcome": pa.array([w[1] for w in walks], pa.string()),
        }
    )
    whole = pa.Table.from_pylist(steps, schema=schema)
    return tuple(t.take(rng.permutation(len(t))) for t in (whole, journeys))  # type: ignore[return-value]


def session_node(steps: list[tuple[str, int]]) -> str:
    """Channel of the first touchpoint and the stage reached, as the guide says."""
    letters = [letter for letter, _ in steps]
    chosen = [x for x in letters if x.isupper()] or letters
    rank = {stage: i for i, stage in enumerate(STAGES)}
    stage = max((STAGE_OF[x.lower()] for x in chosen), key=lambda s: rank.get(s, -1))
    return f"{'web' if letters[0] in 'acC' else 'shop'}: {stage}"


def expected(walks: list[Walk], level: str) -> tuple[Counter, Counter]:
    """Moves, and settled moves on the way, of every journey, one by one."""
    moves: Counter = Counter()
    settled: Counter = Counter()
    for _, outcome, path, known, mask in walks:
        groups: list[list[tuple[str, int]]] = []
        for i, letter in enumerate(path):
            if i == 0 or level == "touchpoint" or mask >> i & 1:
                groups.append([])
            groups[-1].append((letter, i))
        names = [
            group[0][0].lower() if level == "touchpoint" else session_node(group)
            for group in groups
        ]
        walk = [START, *names, ENDS[outcome]]
        moves.update(pairwise(walk))
        if known > 0 and (outcome != "open" or len(path) > 1):
            settled[START, names[0]] += 1
        for k, group in enumerate(groups):
            arrives = any(letter.isupper() for letter, _ in group)
            after = names[k + 1] if k + 1 < len(names) else ENDS[outcome]
            if group[-1][1] < known and (arrives or after != OPEN):
                settled[names[k], CONVERSION if arrives else after] += 1
            if arrives:
                break
    return moves, settled


@settings(max_examples=60, deadline=None)
@given(WALKS)
def test_moves_and_settled_moves_are_those_of_each_journey(walks: list[Walk]) -> None:
    """At the levels touchpoint and session, both columns equal a count journey by journey."""
    counts = count_transitions(*tables(walks), [], stages=STAGES)
    _, transitions = finish(counts)
    for level in ("touchpoint", "session"):
        rows = [r for r in transitions.to_pylist() if r["level"] == level]
        moves, settled = expected(walks, level)
        found = {(r["source_node"], r["target_node"]): (r["count"], r["settled"]) for r in rows}
        edges = moves.keys() | settled.keys()
        assert found == {edge: (moves[edge], settled[edge]) for edge in edges}


def test_what_follows_a_conversion_tells_nothing_of_converting() -> None:
    """Help after buying is not on the way; help before it is, and half of those buy."""
    walks: list[Walk] = [
        (0, "converted", "aCdd", 9, 0), (1, "converted", "dC", 9, 0), (2, "lapsed", "d", 9, 0),
    ]  # fmt: skip
    stages, transitions = finish(count_transitions(*tables(walks), [], stages=STAGES))
    rows = {r["node"]: r for r in stages.to_pylist() if r["level"] == "touchpoint"}
    assert {n: (r["visits"], r["settled"], r["conversion_p"]) for n, r in rows.items()} == {
        "a": (1, 1, 1.0), "c": (2, 2, 1.0), "d": (4, 2, 0.5),
    }  # fmt: skip
    assert {n: r["settled_converted"] for n, r in rows.items()} == {"a": 1, "c": 2, "d": 1}
    assert rows["d"]["conversion_low"] < 0.5 < rows["d"]["conversion_high"]
    assert (rows["c"]["steps_to_conversion"], rows["d"]["steps_to_conversion"]) == (0, 1)
    assert (rows["a"]["time_to_conversion_s"], rows["c"]["time_to_conversion_s"]) == (1, 0)
    edge = {
        (r["source_node"], r["target_node"]): (r["count"], r["settled"])
        for r in transitions.to_pylist()
        if r["level"] == "touchpoint"
    }
    assert edge["d", CONVERSION] == (1, 0)
    assert edge["c", CONVERSION] == (1, 2)


def test_nothing_settled_is_nothing_known() -> None:
    """Where the journey gap has not passed since any visit, conversion is unknown, not certain."""
    stages, _ = finish(count_transitions(*tables([(0, "converted", "aC", 0, 0)]), []))
    for row in stages.to_pylist():
        assert row["conversion_p"] is None and row["conversion_low"] is None
        assert (row["settled"], row["chain_order"], row["steps_to_conversion"]) == (0, 0, None)
