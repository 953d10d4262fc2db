"""From steps to the three tables: right, deterministic, the same for any cut of the data."""

from __future__ import annotations

import pickle

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
from models.personas import (
    NO_STRUCTURE,
    UNDETERMINED,
    PersonaModel,
    apply_personas,
    assign_personas,
    fit_personas,
    portraits,
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
        {"journey_id": ids, "outcome": np.array(["converted", "lapsed", "open"])[world.persona % 3]}
    )


def bucket(steps: pa.Table, number: int, buckets: int) -> pa.Table:
    """The steps of every `buckets`-th journey."""
    of = pc.cast(pc.utf8_slice_codeunits(steps["journey_id"], 1), pa.int64()).to_numpy()
    return steps.filter(pa.array(of % buckets == number))


def test_planted_personas_are_found_and_the_unsure_are_left_out(world, model):
    assert len(model.persona_ids) in (4, 5)
    assert model.persona_ids[:2] == ("p1", "p2")
    table = assign_personas(model, world.steps)
    assert table.schema == table_schema("journey_personas")
    labels = table["persona_id"].to_numpy(zero_copy_only=False)
    firm = labels != UNDETERMINED
    assert adjusted_rand_score(world.persona[firm], labels[firm]) > 0.8
    assert not firm[world.lengths < CONFIG.min_touchpoints].any()
    assert (table["confidence"].to_numpy()[firm] >= 0.6).all()
    assert firm[world.lengths >= 10].mean() > 0.95


def test_portraits_agree_with_the_assignment(world, model, outcomes):
    table, counts = apply_personas(model, world.steps, outcomes)
    personas, features = portraits(model, counts)
    assert personas.schema == table_schema("personas")
    assert features.schema == table_schema("persona_features")
    assert len(set(personas["name"].to_pylist())) == personas.num_rows
    assert sum(personas["share"].to_pylist()) == pytest.approx(1.0, abs=1e-5)
    truth = sorted(np.bincount(world.persona) / len(world.persona), reverse=True)
    assert personas["share"].to_pylist()[:4] == pytest.approx(truth, abs=0.03)

    frame = table.to_pandas().merge(outcomes.to_pandas())
    steps = world.steps.to_pandas()
    held = steps.groupby("touchpoint").journey_id.agg(set)
    for row in personas.to_pylist():
        mine = frame[frame.persona_id == row["persona_id"]]
        decided = mine[mine.outcome != "open"]
        assert row["journeys"] == len(mine)
        if len(decided):
            rate = (decided.outcome == "converted").mean()
            assert row["conversion_rate"] == pytest.approx(rate)
        assert row["share_low"] < row["share"] < row["share_high"]
        assert row["medoid_journey_id"] in set(mine.journey_id)
    for row in features.to_pylist():
        if " > " not in row["feature"]:
            mine = frame[frame.persona_id == row["persona_id"]].journey_id
            assert row["share"] == pytest.approx(mine.isin(held[row["feature"]]).mean())
    assert {row["rank"] for row in features.to_pylist()} <= set(range(1, 11))


def test_order_of_rows_changes_nothing(world, model, outcomes):
    rows = np.random.default_rng(1).permutation(world.steps.num_rows)
    shuffled = world.steps.take(rows)
    again = fit_personas(shuffled, CONFIG)
    one, one_counts = apply_personas(model, world.steps, outcomes)
    other, other_counts = apply_personas(again, shuffled, outcomes)
    assert one.equals(other)
    for first, second in zip(
        portraits(model, one_counts), portraits(again, other_counts), strict=True
    ):
        assert first.equals(second)


@pytest.mark.parametrize("buckets", [2, 7])
def test_the_cut_into_buckets_changes_nothing(world, model, outcomes, buckets):
    travelled = pickle.loads(pickle.dumps(model))
    parts = [
        apply_personas(travelled, bucket(world.steps, number, buckets), outcomes)
        for number in range(buckets)
    ]
    whole, counts = apply_personas(model, world.steps, outcomes)
    assert pa.concat_tables([table for table, _ in parts]).sort_by("journey_id").equals(whole)
    total = PersonaCounts.total(part for _, part in parts)
    for first, second in zip(portraits(model, total), portraits(model, counts), strict=True):
        assert first.equals(second)


@given(st.integers(1, 6), st.integers(1, 300))
@settings(max_examples=6, deadline=None)
def test_buckets_draw_the_sample_of_the_whole(buckets, size):
    steps = planted_world(200, 1, seed=5).steps
    parts = [bucket(steps, number, buckets) for number in range(buckets)]
    bound = sample_bound([sample_hashes(part, size, 3) for part in parts], size)
    drawn = pa.concat_tables([sampled_steps(part, bound, 3) for part in parts])
    key = [("journey_id", "ascending"), ("step", "ascending")]
    assert drawn.sort_by(key).equals(sample_steps(steps, size, 3).sort_by(key))
    eligible = steps.group_by("journey_id").aggregate([("step", "max")])
    eligible = eligible.filter(pc.greater_equal(eligible["step_max"], 3))
    assert len(drawn["journey_id"].unique()) == min(size, eligible.num_rows)


def test_no_structure_is_an_answer():
    world = planted_world(3_000, 1, seed=3)
    model = fit_personas(world.steps, CONFIG)
    assert not model.has_structure
    table, counts = apply_personas(model, world.steps)
    assert set(table["persona_id"].to_pylist()) == {NO_STRUCTURE}
    assert table["confidence"].null_count == table.num_rows
    personas, features = portraits(model, counts)
    (row,) = personas.to_pylist()
    assert (row["name"], row["grade"], row["share"]) == ("No structure found", "none", 1.0)
    assert row["journeys"] == 3_000
    assert row["medoid_journey_id"] is not None
    assert features.num_rows == 0


@pytest.mark.parametrize("journeys", [0, 5])
def test_few_journeys_and_empty_buckets_are_no_trouble(world, model, journeys):
    few = world.steps.filter(pc.less(world.steps["journey_id"], f"j{journeys:07d}"))
    assert assign_personas(model, few).num_rows == journeys
    tiny = fit_personas(few, CONFIG)
    personas, _ = portraits(tiny, apply_personas(tiny, few)[1])
    assert personas["persona_id"].to_pylist() == [NO_STRUCTURE]


def test_new_touchpoints_and_channels_do_not_upset_a_model(world, model):
    strange = world.steps.set_column(
        2, "touchpoint", pc.replace_substring(world.steps["touchpoint"], "touch_03", "brand_new")
    )
    assert assign_personas(model, strange).num_rows == 5_000
