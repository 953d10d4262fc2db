"""Excess drop-off in simulated shops: the planted step is found first, quiet shops stay quiet."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from models.absorbing_chain import AbsorbingChain
from models.pain_points.drop_off import (
    FunnelStep,
    _if_nobody_left,
    find_drop_off,
    funnel_steps,
)
from models.pain_points.finding import findings_table
from models.transition_counts import count_transitions
from models.transition_tables import finish

STAGES = {
    "ad": "awareness", "home": "awareness", "article": "awareness", "email": "awareness",
    "search": "consideration", "list": "consideration", "product": "consideration",
    "store_advice": "consideration",
    "cart": "purchase", "checkout": "purchase", "shipping": "purchase", "payment": "purchase",
    "purchase": "purchase", "delivery": "service", "ticket": "service", "review": "advocacy",
}  # fmt: skip
AFTER_DAYS = {"email", "store_advice", "delivery", "ticket", "review", "purchase"}

Chain = dict[str, dict[str, float]]


def shop(rng: np.random.Generator, scale: float = 1.0) -> Chain:
    """A shop in which people leave for reasons of their own: 10-60% at browsing, 8-12% in checkout.

    Weights leave the rest of 1 to '', the end. `scale` multiplies the way into the cart.
    """
    leave = {n: rng.uniform(0.1, 0.6) for n in STAGES}
    leave |= {n: rng.uniform(0.08, 0.12) for n in ("cart", "checkout", "shipping", "payment")}
    ways: Chain = {
        "START": {"ad": 3, "home": 3, "article": 2, "email": 4, "search": 2},
        "ad": {"product": 3, "home": 2},
        "home": {"search": 2, "list": 2, "product": 1},
        "article": {"product": 2, "list": 1, "email": 1, "article": 1},
        "email": {"product": 3, "home": 1, "email": 1},
        "search": {"product": 4, "search": 1, "list": 1},
        "list": {"product": 4, "list": 1},
        "product": {"product": 3, "list": 1, "cart": 2 * scale, "email": 0.5, "store_advice": 0.3},
        "store_advice": {"purchase": 3, "product": 1},
        "cart": {"checkout": 6, "product": 2},
        "checkout": {"shipping": 9, "cart": 1},
        "shipping": {"payment": 9, "cart": 0.5, "ticket": 0.2},
        "payment": {"purchase": 9, "cart": 0.5},
        "purchase": {"delivery": 4, "review": 1, "ticket": 0.5},
        "delivery": {"review": 1, "ticket": 0.5},
        "ticket": {"ticket": 1, "home": 0.3},
        "review": {"email": 1},
    }
    return {
        node: {
            to: weight / sum(row.values()) * (1 if node == "START" else 1 - leave[node])
            for to, weight in row.items()
        }
        for node, row in ways.items()
    }


def lose(chain: Chain, node: str, points: float) -> Chain:
    """The same shop with more people leaving at a node."""
    stay = sum(chain[node].values())
    row = {to: p * (stay - points) / stay for to, p in chain[node].items()}
    return chain | {node: row}


def tables(
    chains: Mapping[str, Chain], journeys: int, rng: np.random.Generator
) -> tuple[pa.Table, pa.Table]:
    """Stages and transitions of journeys, in equal parts on each device, walked to their end.

    After a purchase, the next touchpoint of an early stage would open another journey.
    """
    names = [*STAGES, ""]
    device = rng.integers(0, len(chains), journeys)
    moves = np.zeros((len(chains), len(names), len(names)))
    entry = np.zeros((len(chains), len(names)))
    for d, chain in enumerate(chains.values()):
        for source, row in chain.items():
            for target, p in row.items():
                at = entry[d] if source == "START" else moves[d, names.index(source)]
                at[names.index(target)] = p
    moves[:, :, -1] = 1 - moves[:, :, :-1].sum(axis=2)
    walker, columns, step = np.arange(journeys), [], 0
    bought = np.zeros(journeys, dtype=bool)
    fresh = [STAGES.get(name) in ("awareness", "consideration") for name in names]
    state = (rng.random(journeys)[:, None] > entry[device].cumsum(axis=1)).sum(axis=1)
    while walker.size:
        step += 1
        columns.append((walker, state, np.full(walker.size, step)))
        bought[walker[state == names.index("purchase")]] = True
        shares = moves[device[walker], state].cumsum(axis=1)
        state = np.minimum((rng.random(walker.size)[:, None] > shares).sum(axis=1), len(names) - 1)
        over = (state == len(names) - 1) | (bought[walker] & np.array(fresh)[state])
        walker, state = walker[~over], state[~over]
    owner, node, number = (np.concatenate(c) for c in zip(*columns, strict=True))
    touchpoint = np.array(names)[node]
    slow = np.isin(touchpoint, list(AFTER_DAYS))
    steps = {
        "journey_id": owner.astype(str),
        "step": number.astype(np.int32),
        "touchpoint": touchpoint,
        "dwell_s": np.where(slow, 86400.0, 40.0) * rng.lognormal(0, 1, len(owner)),
        "csat": pa.nulls(len(owner), pa.float64()),
    }
    ids = np.arange(journeys).astype(str)
    open_ = ~bought & (rng.random(journeys) < 0.05)
    outcome = np.where(bought, "converted", np.where(open_, "open", "lapsed"))
    whole = {
        "journey_id": ids,
        "customer_id": ids,
        "outcome": outcome,
        "device": np.array(list(chains))[device],
    }
    return finish(count_transitions(pa.table(steps), pa.table(whole), ["device"]))


def findings(chains: Mapping[str, Chain], journeys: int, seed: int) -> list[tuple[str, str]]:
    """Node and segment value of what is found, by rank."""
    found = findings_table(
        find_drop_off(*tables(chains, journeys, np.random.default_rng(seed)), STAGES)
    )
    return [(row["node"], row["segment_value"]) for row in found.to_pylist()]


@pytest.mark.parametrize("points", [0.15, 0.25])
def test_planted_step_is_found_and_first(points: float) -> None:
    """15 or 25 points more at one step: flagged in every shop, ranked first, and nothing else."""
    for seed in range(12):
        chain = lose(shop(np.random.default_rng(seed)), "shipping", points)
        found = findings({"mobile": chain, "desktop": chain}, 12_000, seed)
        assert found == [("shipping", "all")]


@pytest.mark.parametrize("scale", [0.15, 1.0, 4.0])
def test_quiet_shops_stay_quiet(scale: float) -> None:
    """Where people leave for reasons of their own, at most one shop in twenty has a finding."""
    alarms = 0
    for seed in range(20):
        chain = shop(np.random.default_rng(100 + seed), scale)
        alarms += bool(findings({"mobile": chain, "desktop": chain}, 12_000, seed))
    assert alarms <= 1


def test_segment_is_named() -> None:
    """What hurts on one device only is found there, first, and not on the other."""
    for seed in range(8):
        chain = shop(np.random.default_rng(seed))
        hurt = lose(chain, "shipping", 0.25)
        found = findings({"mobile": hurt, "desktop": chain}, 16_000, seed)
        assert found[0] == ("shipping", "mobile")
        assert set(found) <= {("shipping", "mobile"), ("shipping", "all")}


def test_two_pains_do_not_hide_each_other() -> None:
    """The median of the other steps holds when two of four hurt."""
    chain = lose(lose(shop(np.random.default_rng(3)), "shipping", 0.25), "payment", 0.25)
    assert {node for node, _ in findings({"web": chain}, 20_000, 3)} == {"shipping", "payment"}


def test_finding_reads_and_reconciles() -> None:
    """The sentence holds the numbers, the query shows the rate, and the cost is the excess."""
    chain = lose(shop(np.random.default_rng(5)), "shipping", 0.25)
    stages, transitions = tables({"mobile": chain}, 12_000, np.random.default_rng(5))
    (row,) = findings_table(find_drop_off(stages, transitions, STAGES, mean_value=40.0)).to_pylist()
    con = duckdb.connect()
    con.register("stages", stages)
    node, departures, rate, drop_offs, low, high = con.sql(row["query"]).fetchall()[0]
    assert (node, departures) == ("shipping", row["denominator"])
    assert (rate, low, high) == (row["measured"], row["measured_low"], row["measured_high"])
    assert row["cost_journeys"] == pytest.approx(drop_offs - row["baseline"] * departures)
    assert 0 < row["cost_value"] < 40 * row["cost_journeys"]
    assert row["p_value"] <= row["q_value"] <= 0.05
    for number in (f"{rate:.1%}", f"{departures:,}", f"{row['baseline']:.1%}"):
        assert number in row["sentence"]


def test_small_numbers_and_strangers_are_not_tested() -> None:
    """Steps under the volume floor, and touchpoints of no declared stage, have no findings."""
    chain = lose(shop(np.random.default_rng(5)), "shipping", 0.25)
    small = tables({"mobile": chain}, 12_000, np.random.default_rng(5))
    assert find_drop_off(*small, STAGES, min_volume=10**6) == []
    assert find_drop_off(*small, {}) == []


def funnel_of(paths: list[str]) -> list[FunnelStep]:
    """Funnel steps of journeys written as their touchpoints, ten seconds each; ``buy`` converts."""
    moves = [
        (str(j), i, node) for j, path in enumerate(paths) for i, node in enumerate(path.split())
    ]
    journey, step, node = zip(*moves, strict=True)
    steps = pa.table(
        {
            "journey_id": journey,
            "step": step,
            "touchpoint": node,
            "dwell_s": [10.0] * len(moves),
            "converts": [name == "buy" for name in node],
            "csat": pa.nulls(len(moves), pa.float64()),
        }
    )
    ids = [str(j) for j in range(len(paths))]
    outcome = ["converted" if "buy" in path else "lapsed" for path in paths]
    journeys = pa.table({"journey_id": ids, "customer_id": ids, "outcome": outcome})
    stages, transitions = finish(count_transitions(steps, journeys, []))
    stage_of = dict.fromkeys(node, "purchase")
    return funnel_steps(stages, transitions, stage_of, min_volume=5, pause_s=60)


def test_what_follows_the_conversion_is_no_part_of_the_way() -> None:
    """That buyers see the payment page again does not change who converts of those who go on from it."""
    (found,) = funnel_of(["pay"] * 4 + ["pay buy pay"] * 6 + ["look"] * 10)
    assert (found.node, found.departures, found.drop_offs) == ("pay", 16, 4)
    assert found.going_on_converts == 1.0


@pytest.mark.parametrize("leave", [10, 100, 1_000])
def test_what_a_step_loses_does_not_make_it_one_of_the_funnel(leave: int) -> None:
    """An entrance that all come by is no funnel step, however many leave there; the queue is."""
    inside = ["entrance queue buy"] * 80 + ["entrance queue"] * 20
    assert [step.node for step in funnel_of(["entrance"] * leave + inside)] == ["queue"]


def test_nobody_leaving_is_a_chain_without_that_move() -> None:
    """Where walks come back and not all come by, too, it is the chain counted without those who left there."""
    moves = {
        ("START", "a"): 60, ("START", "b"): 40, ("a", "b"): 50, ("a", "DROP_OFF"): 30, ("b", "a"): 20,
        ("b", "CONVERSION"): 45, ("b", "DROP_OFF"): 25,
    }  # fmt: skip
    chain = AbsorbingChain(*zip(*moves, strict=True), list(moves.values()))
    for at, node in enumerate(chain.nodes[1:], 1):
        kept = {edge: n for edge, n in moves.items() if edge != (node, "DROP_OFF")}
        other = AbsorbingChain(*zip(*kept, strict=True), list(kept.values()))
        leaves = moves[node, "DROP_OFF"] / chain.departures[at]
        p = other.conversion_p
        assert _if_nobody_left(chain, at, leaves) == pytest.approx((p[at], p[0]))
