"""A persona keeps its id from fit to fit, whatever happens to the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Personas
from models.persona_ledger import (
    KnownPersona,
    Published,
    known_after,
    match_personas,
    next_model,
    profiles,
)
from models.personas import apply_personas
from tests.models.planted_paths import PlantedWorld, planted_world

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = Personas()


def named(published: Published) -> Published:
    """Enter the fit's personas in its ledger."""
    return known_after(published, {p: f"The {p}" for p in published.model.persona_ids})


def first(world: PlantedWorld, journeys: int) -> pa.Table:
    """The steps of the first journeys."""
    numbers = np.array([int(j[1:]) for j in world.steps["journey_id"].to_pylist()])
    return world.steps.filter(pa.array(numbers < journeys))


@pytest.fixture(scope="module")
def world() -> PlantedWorld:
    return planted_world(5_000, 4, seed=7, side_data=True)


@pytest.fixture(scope="module")
def published(world: PlantedWorld) -> Published:
    return named(next_model(first(world, 4_700), CONFIG, "run1", NOW, None))


def test_five_percent_more_journeys_leave_firm_ones_where_they_were(world, published):
    """At least 98% of the firm journeys that did not change keep their persona, by id."""
    again = next_model(world.steps, CONFIG, "run2", NOW, published)
    assert again.model.persona_ids[:3] == published.model.persona_ids[:3]
    before, after = (
        apply_personas(fit.model, first(world, 4_700)).journeys for fit in (published, again)
    )
    firm = before["confidence"].to_numpy() > 0.9
    same = np.array(before["persona_id"].to_pylist()) == np.array(after["persona_id"].to_pylist())
    assert firm.sum() > 1_500
    assert same[firm].mean() >= 0.98


def test_text_keeps_the_model_to_the_last_bit(published, world):
    """A model read back assigns as it did."""
    read = Published.from_json(published.to_json())
    assert read.to_json() == published.to_json()
    few = first(world, 300)
    assert apply_personas(read.model, few).journeys.equals(
        apply_personas(published.model, few).journeys
    )


@given(st.permutations(range(4)), st.sets(st.integers(0, 3)), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_ids_follow_the_persona_not_the_place(order, gone, new):
    """Any order, any deaths, any births: who is known keeps the id, new ones get unused numbers."""
    acts = [{"move": {f"START > {a}": 0.9, "START > x": 0.1}} for a in "abcdefg"]
    known = [KnownPersona(f"p{i + 1}", str(i), acts[i]) for i in range(4)]
    found = [acts[i] for i in order if i not in gone] + acts[4 : 4 + new]
    ids, distances = match_personas(found, known)
    expected = [f"p{i + 1}" for i in order if i not in gone] + [f"p{5 + i}" for i in range(new)]
    assert list(ids) == expected
    assert sum(np.isnan(distances)) == new


def test_a_persona_that_comes_back_is_itself():
    """The ledger remembers who was not found for a while."""
    one, two = ({"move": {f"START > {a}": 1.0}} for a in "ab")
    known = [KnownPersona("p1", "One", one), KnownPersona("p2", "Two", two)]
    assert match_personas([two], known)[0] == ("p2",)
    assert match_personas([one, two], known)[0] == ("p1", "p2")


def test_personas_that_differ_in_channel_only_are_told_apart():
    """The distance is that of the block in which two differ most."""
    moves = {"START > a": 1.0}
    web, store = ({"move": moves, "channel": {f"a @ {c}": 1.0}} for c in ("web", "store"))
    known = [KnownPersona("p1", "Web", web), KnownPersona("p2", "Store", store)]
    assert match_personas([store, web], known)[0] == ("p2", "p1")


def test_profiles_are_shares(published):
    """Each block of what a persona does adds up to one."""
    for profile in profiles(published.model):
        assert set(profile) == {"move", "channel", "gap"}
        for shares in profile.values():
            assert sum(shares.values()) == pytest.approx(1.0)


def test_between_refits_the_published_model_goes_on():
    """Until the time has passed, the settings change, or journeys drift."""
    patient = CONFIG.model_copy(update={"refit_after": timedelta(days=30)})
    soon, late = NOW + timedelta(days=29), NOW + timedelta(days=30)
    steps = planted_world(800, 2, seed=7, side_data=True).steps
    last = named(next_model(steps, patient, "run1", NOW, None))
    assert next_model(steps, patient, "run2", soon, last) is last
    assert next_model(steps, patient, "run2", late, last).fit_id == "run2"
    other = patient.model_copy(update={"max_personas": 3})
    assert next_model(steps, other, "run2", soon, last).fit_id == "run2"
    elsewhere = planted_world(800, 2, seed=99, side_data=True).steps
    assert next_model(elsewhere, patient, "run2", soon, last).fit_id == "run2"
