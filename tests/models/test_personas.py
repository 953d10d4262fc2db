"""From steps to the three tables: right, deterministic, the same for any cut of the data."""

from __future__ import annotations

import pickle
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from contracts.config import Personas
from contracts.schemas import table_schema
from models.journey_sample import sample_bound, sample_hashes, sample_steps, sampled_steps
from models.persona_portraits import PersonaCounts
from models.persona_tables import draw_portraits
from models.personas import (
    NO_STRUCTURE,
    UNDETERMINED,
    PersonaModel,
    apply_personas,
    fit_personas,
)
from tests.models.planted_paths import PlantedWorld, planted_world

CONFIG = Personas()


@pytest.fixture(scope="module")
def world() -> PlantedWorld:
    return planted_world(5_000, 4, seed=7, side_data=True)


@pytest.fixture(scope="module")
def model(world: PlantedWorld) -> PersonaModel:
    return fit_personas(world.steps, CONFIG)


@pytest.fixture(scope="module")
def outcomes(world: PlantedWorld) -> pa.Table:
    ids = [f"j{i:07d}" for i in range(len(world.persona))]
    return pa.table(
        {
            "journey_id": ids,
            "outcome": np.array(["converted", "lapsed", "open"])[world.persona % 3],
            "value": pa.array([Decimal(f"{10 * p}.25") for p in world.persona.tolist()]),
        }
    )


def bucket(steps: pa.Table, number: int, buckets: int) -> pa.Table:
    """The steps of every `buckets`-th journey."""
    of = pc.cast(pc.utf8_slice_codeunits(steps["journey_id"], 1), pa.int64()).to_numpy()
    return steps.filter(pa.array(of % buckets == number))


def test_planted_personas_are_found_and_the_unsure_are_left_out(world, model):
    assert len(model.persona_ids) in (4, 5)
    assert model.persona_ids[:2] == ("p1", "p2")
    table, customers, _ = apply_personas(model, world.steps)
    assert table.schema == table_schema("journey_personas")
    assert customers.schema == table_schema("customer_personas")
    assert customers["journeys"].to_pylist() == [1] * 5_000
    labels = table["persona_id"].to_numpy(zero_copy_only=False)
    firm = labels != UNDETERMINED
    assert adjusted_rand_score(world.persona[firm], labels[firm]) > 0.8
    assert not firm[world.lengths < CONFIG.min_touchpoints].any()
    assert (table["confidence"].to_numpy()[firm] >= 0.6).all()
    assert firm[world.lengths >= 10].mean() > 0.95


def test_portraits_agree_with_the_assignment(world, model, outcomes):
    """Every number is that of the rows it is about, counted another way."""
    table, _, counts = apply_personas(model, world.steps, outcomes, ("even", "odd"))
    personas, features = draw_portraits(model, counts, ("even", "odd"))
    assert personas.schema == table_schema("personas")
    assert features.schema == table_schema("persona_features")
    assert len(set(personas["name"].to_pylist())) == personas.num_rows
    assert sum(personas["share"].to_pylist()) == pytest.approx(1.0, abs=1e-5)
    truth = sorted(np.bincount(world.persona) / len(world.persona), reverse=True)
    shares = sorted(personas["share"].to_pylist(), reverse=True)
    assert shares[:4] == pytest.approx(truth, abs=0.03)
    assert sorted(personas["place"].to_pylist()) == list(range(1, len(shares) + 1))

    frame = table.to_pandas().merge(outcomes.to_pandas())
    steps = world.steps.to_pandas()
    hours = steps.groupby("journey_id").dwell_s.sum()
    for row in personas.to_pylist():
        mine = frame[frame.persona_id == row["persona_id"]]
        decided = mine[mine.outcome != "open"]
        assert row["journeys"] == len(mine) == row["customers"]
        if len(decided):
            rate = (decided.outcome == "converted").mean()
            assert row["conversion_rate"] == pytest.approx(rate)
        assert row["share_low"] < row["share"] < row["share_high"]
        assert row["medoid_journey_id"] in set(mine.journey_id)
        assert row["portrait"].startswith("About ")
    expected = {
        "touchpoint": lambda row: set(steps[steps.touchpoint == row["feature"]].journey_id),
        "channel": lambda row: set(steps[steps.channel == row["feature"]].journey_id),
        "stage": lambda row: set(steps[steps.stage == row["feature"]].journey_id),
        "pace": lambda row: set(
            hours[
                hours
                > {"over an hour": 3600, "over a day": 86400, "over a week": 604800}[row["feature"]]
            ].index
        ),
    }
    seen = set()
    for row in features.to_pylist():
        mine = frame[frame.persona_id == row["persona_id"]]
        others = frame[~frame.persona_id.isin([row["persona_id"], UNDETERMINED])]
        if row["kind"] in expected:
            held = expected[row["kind"]](row)
            seen.add(row["kind"])
            assert row["value"] == pytest.approx(mine.journey_id.isin(held).mean())
            assert row["value_others"] == pytest.approx(others.journey_id.isin(held).mean())
        if row["feature"] == "value":
            worth = mine[mine.outcome == "converted"].value.astype(float)
            assert row["value"] == pytest.approx(worth.mean())
        if row["feature"] == "csat":
            of = steps[steps.journey_id.isin(mine.journey_id)].groupby("journey_id").csat.mean()
            assert row["value"] == pytest.approx(of.mean(), abs=1e-4)
        if row["feature"] == "touchpoints":
            of = steps[steps.journey_id.isin(mine.journey_id)].groupby("journey_id").size()
            assert row["value"] == pytest.approx(of.mean())
    assert {"touchpoint", "channel"} <= seen


def test_customers_with_several_journeys_are_pooled_and_far_better_told_apart():
    """Journeys of one customer support each other; loyalty is measured."""
    world = planted_world(4_500, 4, seed=11, journeys_each=3)
    model = fit_personas(world.steps, CONFIG)
    assert model.pooled
    assert model.loyalty > 0.95
    journeys, customers, _ = apply_personas(model, world.steps)
    found = journeys["likeliest_id"].to_pylist()
    single = adjusted_rand_score(world.persona, world.oracle)
    assert adjusted_rand_score(world.persona, found) > single + 0.1
    assert customers["journeys"].to_pylist() == [3] * 1_500
    assert model.fit_customers < 1_501

    # An exemplar needs no other journey of its customer to show whose it is.
    whose = {
        journey: p
        for p, own in zip(model.persona_ids, model.exemplars, strict=True)
        for journey in own
    }
    shown = world.steps.filter(pc.is_in(world.steps["journey_id"], pa.array(list(whose))))
    alone = apply_personas(model, shown.set_column(1, "customer_id", shown["journey_id"])).journeys
    assert (
        dict(zip(*alone.select(["journey_id", "likeliest_id"]).to_pydict().values(), strict=True))
        == whose
    )


def test_customers_without_a_kind_lend_their_journeys_nothing():
    """Where each journey is of a kind of its own, it is judged by itself."""
    world = planted_world(4_500, 4, seed=11, side_data=True)
    customer = pa.array([f"c{int(j[1:]) % 1_500}" for j in world.steps["journey_id"].to_pylist()])
    steps = world.steps.set_column(1, "customer_id", customer)
    model = fit_personas(steps, CONFIG)
    assert not model.pooled
    assert model.loyalty < 0.1
    labels = apply_personas(model, steps).journeys["persona_id"].to_numpy(zero_copy_only=False)
    assert not (labels[world.lengths < CONFIG.min_touchpoints] != UNDETERMINED).any()


def test_k_means_runs_through_the_same_gates(world):
    """The plain way finds what is plain, and is refused where its halves disagree."""
    config = Personas(method="tfidf_kmeans", n_personas=2)
    paths = [("ad", "shop", "cart", "buy"), ("shop", "ad", "buy", "cart", "ad")] * 100
    rows = [(i, n, t) for i, path in enumerate(paths) for n, t in enumerate(path)]
    steps = pa.table(
        {
            "journey_id": [f"j{i:03d}" for i, _, _ in rows],
            "customer_id": [f"c{i:03d}" for i, _, _ in rows],
            "step": pa.array([n for _, n, _ in rows], pa.int32()),
            "touchpoint": [t for _, _, t in rows],
            "channel": ["web"] * len(rows),
            "dwell_s": pa.nulls(len(rows), pa.float64()),
        }
    )
    model = fit_personas(steps, config)
    assert (model.persona_ids, model.grade) == (("p1", "p2"), "strong")
    assert {int(own[0][1:]) % 2 for own in model.exemplars} == {0, 1}
    refused = fit_personas(world.steps, Personas(method="tfidf_kmeans", n_personas=4))
    assert "disagree" in refused.reason


def test_order_of_rows_changes_nothing(world, model, outcomes):
    rows = np.random.default_rng(1).permutation(world.steps.num_rows)
    shuffled = world.steps.take(rows)
    again = fit_personas(shuffled, CONFIG)
    one, one_customers, one_counts = apply_personas(model, world.steps, outcomes)
    other, other_customers, other_counts = apply_personas(again, shuffled, outcomes)
    assert one.equals(other)
    assert one_customers.equals(other_customers)
    for first, second in zip(
        draw_portraits(model, one_counts), draw_portraits(again, other_counts), strict=True
    ):
        assert first.equals(second)


@pytest.mark.parametrize("buckets", [2, 7])
def test_the_cut_into_buckets_changes_nothing(world, model, outcomes, buckets):
    travelled = pickle.loads(pickle.dumps(model))
    parts = [
        apply_personas(travelled, bucket(world.steps, number, buckets), outcomes)
        for number in range(buckets)
    ]
    whole, _, counts = apply_personas(model, world.steps, outcomes)
    assert pa.concat_tables([part.journeys for part in parts]).sort_by("journey_id").equals(whole)
    total = PersonaCounts.total(part.counts for part in parts)
    for first, second in zip(
        draw_portraits(model, total), draw_portraits(model, counts), strict=True
    ):
        assert first.equals(second)


@given(st.integers(1, 6), st.integers(1, 300))
@settings(max_examples=6, deadline=None)
def test_buckets_draw_the_sample_of_the_whole(buckets, size):
    steps = planted_world(400, 1, seed=5, journeys_each=2).steps
    of = [int(customer[1:]) % buckets for customer in steps["customer_id"].to_pylist()]
    parts = [steps.filter(pc.equal(pa.array(of), number)) for number in range(buckets)]
    bound = sample_bound([sample_hashes(part, size, 3) for part in parts], size)
    drawn = pa.concat_tables([sampled_steps(part, bound, 3) for part in parts])
    key = [("journey_id", "ascending"), ("step", "ascending")]
    assert drawn.sort_by(key).equals(sample_steps(steps, size, 3).sort_by(key))
    touchpoints = steps.group_by("customer_id").aggregate([("step", "count")])
    eligible = touchpoints.filter(pc.greater_equal(touchpoints["step_count"], 3))
    assert len(drawn["customer_id"].unique()) == min(size, eligible.num_rows)


def test_no_structure_is_an_answer():
    world = planted_world(3_000, 1, seed=3)
    model = fit_personas(world.steps, CONFIG)
    assert not model.has_structure
    table, customers, counts = apply_personas(model, world.steps)
    assert set(table["persona_id"].to_pylist()) == {NO_STRUCTURE}
    assert set(customers["persona_id"].to_pylist()) == {NO_STRUCTURE}
    assert table["confidence"].null_count == table.num_rows
    personas, features = draw_portraits(model, counts)
    (row,) = personas.to_pylist()
    assert (row["name"], row["grade"], row["share"]) == ("No structure found", "none", 1.0)
    assert row["journeys"] == 3_000
    assert row["portrait"].startswith("No structure found: what was held out is predicted")
    assert row["medoid_journey_id"] is not None
    assert features.num_rows == 0


@pytest.mark.parametrize("journeys", [0, 5])
def test_few_journeys_and_empty_buckets_are_no_trouble(world, model, journeys):
    few = world.steps.filter(pc.less(world.steps["journey_id"], f"j{journeys:07d}"))
    assert apply_personas(model, few).journeys.num_rows == journeys
    tiny = fit_personas(few, CONFIG)
    personas, _ = draw_portraits(tiny, apply_personas(tiny, few).counts)
    assert personas["persona_id"].to_pylist() == [NO_STRUCTURE]


def test_new_touchpoints_and_channels_do_not_upset_a_model(world, model):
    strange = world.steps.set_column(
        3, "touchpoint", pc.replace_substring(world.steps["touchpoint"], "touch_03", "brand_new")
    )
    assert apply_personas(model, strange).journeys.num_rows == 5_000
