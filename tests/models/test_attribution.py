"""Attribution: the worked example, sums to the last digit, every model recomputed from paths."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, permutations
from math import factorial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.schemas import table_schema
from models.absorbing_chain import AbsorbingChain
from models.attribution import MODELS, credit
from models.attribution_paths import DIRECT, count_paths
from models.counts import merge_counts

STEPS = pa.schema(
    [
        *((name, pa.string()) for name in ("journey_id", "touchpoint", "channel", "campaign")),
        ("step", pa.int32()),
        ("event_time", pa.timestamp("us", "UTC")),
        ("converts", pa.bool_()),
    ]
)
JOURNEYS = pa.schema(
    [
        *((name, pa.string()) for name in ("journey_id", "customer_id", "outcome")),
        ("value", pa.decimal128(18, 4)),
    ]
)
Walk = tuple[str, str, str]  # outcome, value, touchpoints as letters; $ converts
DAY = 86_400_000_000


def world(walks: list[Walk], seed: int = 0, first: int = 0) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys of walks, shuffled."""
    rng = np.random.default_rng(seed)
    steps = [
        {
            "journey_id": f"j{j}",
            "touchpoint": letter,
            "channel": "web" if letter in "ac" else "email",
            "campaign": letter if letter in "ab" else None,
            "step": i + 1,
            "event_time": DAY * i * i,
            "converts": letter == "$",
        }
        for j, (_, _, path) in enumerate(walks, first)
        for i, letter in enumerate(path)
    ]
    journeys = [
        {
            "journey_id": f"j{j}",
            "customer_id": f"c{j % 7}",
            "outcome": outcome,
            "value": Decimal(value),
        }
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
    for model in MODELS:
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


def shapley_by_coalitions(paths: list[str]) -> dict[str, Fraction]:
    """The Shapley value by its definition: mean marginal gain over all orders of joining."""
    players = sorted(set("".join(paths)))
    found: dict[str, Fraction] = defaultdict(Fraction)
    for order in permutations(players):
        joined: set[str] = set()
        for player in order:
            before = sum(set(path) <= joined for path in paths)
            joined.add(player)
            found[player] += sum(set(path) <= joined for path in paths) - before
    return {player: gain / factorial(len(players)) for player, gain in found.items()}


def shared_out(paths: list[str], half_life_days: int = 7) -> dict[str, dict[str, float]]:
    """Every model that shares single paths, path by path; the conversion is the next step."""
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for path in paths:
        n = len(path)
        weights = {
            "first": [1.0, *[0.0] * (n - 1)],
            "last": [*[0.0] * (n - 1), 1.0],
            "linear": [1.0] * n,
            "position": [1.0] * n if n < 3 else [0.4, *[0.2 / (n - 2)] * (n - 2), 0.4],
            "time_decay": [0.5 ** ((n * n - i * i) / half_life_days) for i in range(n)],
        }
        for model, each in weights.items():
            for letter, weight in zip(path, each, strict=True):
                found[model][letter] += weight / sum(each)
    return found


@settings(max_examples=25, deadline=None)
@given(WALKS)
def test_models_equal_recomputation(walks: list[Walk]) -> None:
    """Each model equals its definition applied path by path; all sum to the totals exactly."""
    table = credit(count_paths(*world(walks), ("touchpoint", "channel", "campaign")))
    won = [(Decimal(value), path.split("$")[0]) for _, value, path in walks if "$" in path]
    paths = [path for _, path in won]
    expected = shared_out(paths) | {"shapley": shapley_by_coalitions(paths)}
    for model, nodes in expected.items():
        found = credits(table, model)
        for node in found:
            assert float(found[node]) == pytest.approx(float(nodes.get(node, 0)), abs=1.1e-6)
    for level in ("touchpoint", "channel", "campaign"):
        for model in MODELS if won else ():
            rows = [r for r in table.to_pylist() if (r["model"], r["level"]) == (model, level)]
            assert sum(r["conversions"] for r in rows) == len(won)
            assert sum(r["value"] for r in rows) == sum(value for value, _ in won)
            assert sum(r["credit"] for r in rows) == pytest.approx(1)
            assert all(0 <= r["credit_low"] <= r["credit_high"] <= 1 for r in rows)


@pytest.mark.parametrize(
    ("transform", "kept"),
    [("unique", "aabab"), ("exposure", "abab"), ("first", "ab"), ("frequency", "ab")],
)
def test_transforms_of_repeats(transform: str, kept: str) -> None:
    """Linear credit is that of the path as the transform leaves it."""
    walks = [("converted", "9", "aabab$"), ("lapsed", "0", "b")]
    table = credit(count_paths(*world(walks), transform=transform))
    share = kept.count("a") / len(kept)
    assert float(credits(table, "linear")["a"]) == pytest.approx(share, abs=1e-6)


def test_frequency_tells_states_apart_and_removes_them_together() -> None:
    """Seen twice always converts, seen once never: with a node's states gone, nothing is left."""
    walks = [("converted", "1", "aa$")] * 3 + [("lapsed", "0", "a")] * 5 + [
        ("converted", "1", "b$"), ("lapsed", "0", "b"),
    ]  # fmt: skip
    found = credits(credit(count_paths(*world(walks), transform="frequency")), "removal_effect")
    assert found == {"a": 3, "b": 1}
    once = [("converted", "1", "ab$"), ("converted", "1", "b$"), ("lapsed", "0", "a")]
    plain, told_apart = (
        credits(credit(count_paths(*world(once), transform=how)), "removal_effect")
        for how in ("unique", "frequency")
    )
    assert plain == told_apart != {}


def test_lookback_leaves_out_what_is_older() -> None:
    """Steps lie 0, 1, 4, 9 days after the first: nine days before the conversion, or less."""
    walks = [("converted", "1", "abc$")]
    for days, nodes in ((9, "abc"), (8, "bc"), (5, "c")):
        steps, journeys = world(walks)
        table = credit(count_paths(steps, journeys, lookback=timedelta(days=days)))
        assert set(credits(table, "linear")) == set(nodes)
    table = credit(count_paths(*world(walks), lookback=timedelta(days=1)))
    assert credits(table, "last") == {DIRECT: 1}


def mantel_haenszel(walks: list[Walk], node: str) -> float:
    """The ratio by its definition, path by path and position by position."""
    up, down = Fraction(0), Fraction(0)
    paths = [(p.split("$")[0], "$" in p) for o, _, p in walks if o != "open"]
    for k in range(max(len(p) for p, _ in paths)):
        risk = [(p[k] == node, won) for p, won in paths if len(p) > k and node not in p[:k]]
        n = len(risk)
        a = sum(won for came, won in risk if came)
        c = sum(won for came, won in risk if not came)
        n1 = sum(came for came, _ in risk)
        up += Fraction(a * (n - n1), max(n, 1))
        down += Fraction(c * n1, max(n, 1))
    return float(up / down) if down else float("nan")


@settings(max_examples=25, deadline=None)
@given(WALKS)
def test_lift_equals_its_definition(walks: list[Walk]) -> None:
    """Mantel-Haenszel and plain lift equal a count path by path; open journeys are in neither."""
    table = credit(count_paths(*world(walks)))
    ended = [(p.split("$")[0], "$" in p) for o, _, p in walks if o != "open" and p[0] != "$"]
    for row in table.to_pylist():
        if (row["model"], row["level"]) != ("last", "touchpoint") or row["node"] == DIRECT:
            continue
        node = row["node"]
        found = np.nan if row["lift"] is None else row["lift"]
        assert found == pytest.approx(mantel_haenszel(walks, node), nan_ok=True)
        rates = [[won for path, won in ended if (node in path) == holds] for holds in (True, False)]
        assert row["journeys"] == len(rates[0])
        if row["plain_lift"] is not None:
            with_node, others = (sum(r) / len(r) for r in rates)
            assert row["plain_lift"] == pytest.approx(with_node / others)


def test_intervals_are_those_of_a_bootstrap_over_customers() -> None:
    """Widths agree with 300 redraws of whole customers, for a chain model and for shares."""
    rng = np.random.default_rng(5)
    walks = [
        ("converted", "1", path + "$") if rng.random() < 0.3 + 0.3 * ("b" in path) else
        ("lapsed", "1", path)
        for path in ("".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(600))
    ]  # fmt: skip
    steps, journeys = world(walks)
    of = np.array(
        [int(j[1:]) // 2 for j in journeys["journey_id"].to_pylist()]
    )  # two journeys each
    journeys = journeys.set_column(1, "customer_id", pa.array([f"c{c}" for c in of]))
    table = credit(count_paths(steps, journeys, ("touchpoint",))).to_pylist()
    shares = {"removal_effect": [], "linear": []}  # type: ignore[var-annotated]
    for _ in range(300):
        drawn = rng.integers(0, 300, 300)
        again = [walks[j] for c in drawn for j in (2 * c, 2 * c + 1)]
        out = shared_out([p[:-1] for o, _, p in again if o == "converted"])["linear"]
        shares["linear"].append([out[x] / sum(out.values()) for x in "abc"])
        moves = Counter(
            (a, b)
            for o, _, p in again
            for a, b in pairwise(
                ["START", *p.rstrip("$"), "DROP_OFF" if o == "lapsed" else "CONVERSION"]
            )
        )
        chain = AbsorbingChain([a for a, _ in moves], [b for _, b in moves], list(moves.values()))
        effect = chain.removal_effect[1:]
        shares["removal_effect"].append(effect / effect.sum())
    for model, drawn_shares in shares.items():
        spread = np.std(drawn_shares, axis=0)
        rows = [r for r in table if r["model"] == model]
        width = np.array([r["credit_high"] - r["credit_low"] for r in rows]) / 4
        assert width == pytest.approx(spread, rel=0.3)


@settings(max_examples=20, deadline=None)
@given(WALKS, st.integers(0, 15))
def test_counts_of_buckets_add_up(walks: list[Walk], cut: int) -> None:
    """Journeys split over buckets and merged in any order give the counts of the whole."""
    parts = [count_paths(*world(walks[:cut])), count_paths(*world(walks[cut:], first=cut))]
    whole = merge_counts([count_paths(*world(walks, seed=1))])
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
