"""Planted pains of every kind: found, named, dated, first, alone, and shown by their own SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmarks.journey_worlds import BEGIN, PLANTS, WORLDS, Plant, World, journeys_for, walk
from benchmarks.pain_points import search, tells
from benchmarks.world_database import database
from models.pain_points import Settings
from models.pain_points.daily import StepCounts
from models.pain_points.incidents import find_incidents
from models.pain_points.standing import find_standing
from models.step_counts import count_steps

Found = tuple[Plant, pa.Table, pa.Table, list[dict]]


@pytest.fixture(scope="module", params=PLANTS, ids=lambda plant: plant.name)
def found(request: pytest.FixtureRequest) -> Found:
    """A world with one plant, 2,000 journeys through the step, and what is found in it."""
    plant = request.param
    rng = np.random.default_rng(7)
    world = WORLDS[plant.world](rng)
    steps, journeys = walk(world, journeys_for(world, plant.step, 2_000), rng, plant)
    return plant, steps, journeys, search(world, steps, journeys)


def test_the_plant_is_the_one_finding(found: Found) -> None:
    """What was planted is found at its step, for those it hits; nothing else is."""
    plant, *_, rows = found
    assert len(rows) == 1
    assert tells(plant, rows[0])


def test_incidents_have_their_days(found: Found) -> None:
    """Begin and end are those planted, within three days and within their intervals; what has no dates
    is given none.
    """
    plant, *_, (row,) = found
    for name in ("begins", "ends"):
        planted, told = getattr(plant, name), row[name]
        assert (told is None) == (planted is None)
        assert planted is None or abs((told - planted).days) <= 3
        earliest, latest = row[f"{name}_earliest"], row[f"{name}_latest"]
        assert planted is None or earliest <= planted <= latest
        assert (earliest is None) == (latest is None) == (planted is None)


def test_the_query_shows_the_number(found: Found) -> None:
    """The finding's own SQL gives its number and volume, and its baseline where that was counted."""
    _, steps, journeys, (row,) = found
    cursor = database(steps, journeys).execute(row["query"])
    names = [column[0] for column in cursor.description]
    first, *others = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    assert first["journeys"] == row["denominator"]
    assert first["measured"] == pytest.approx(row["measured"], rel=1e-6)
    if others and "here" in first:
        assert others[0]["measured"] == pytest.approx(row["baseline"], rel=1e-6)


def test_the_journeys_are_those_hit(found: Found) -> None:
    """The list of journeys holds as many as the number says, each once; of waits, the long ones."""
    _, steps, journeys, (row,) = found
    listed = [j for (j,) in database(steps, journeys).execute(row["journeys_query"]).fetchall()]
    assert len(set(listed)) == len(listed) > 0
    hit = row["measured"] * row["denominator"]
    if row["unit"] == "share":
        assert len(listed) == pytest.approx(hit)
    assert set(listed) <= set(journeys["journey_id"].to_pylist())


def test_numbers_of_a_finding_agree(found: Found) -> None:
    """The interval holds the number, the excess is within it, and the control was passed."""
    *_, (row,) = found
    assert row["measured_low"] <= row["measured"] <= row["measured_high"]
    assert row["p_value"] <= row["q_value"] <= 0.05
    if row["unit"] == "share":
        assert 0 < row["excess_low"] < row["measured"] - row["baseline"]
        excess = (row["measured"] - row["baseline"]) * row["denominator"]
        assert row["cost_journeys"] == pytest.approx(excess)


def test_the_value_is_of_the_conversions_missing(found: Found) -> None:
    """At a value of 1 each, by SQL: how many more of those hit end without one than of the others."""
    _, steps, journeys, (row,) = found
    if row["kind"] in ("opportunity", "low_satisfaction", "excess_drop_off"):
        assert (row["cost_value"] is not None) == (row["kind"] == "excess_drop_off")
        return
    hit = {
        "device": f"device = '{row['segment_value']}'",
        "hour": "hour(arrived_at) BETWEEN 17 AND 19",
        "all": f"arrived_at::DATE BETWEEN '{row['begins']}' AND '{row['ends']}'",
    }[row["segment"]]
    (n, lost), (others, others_lost) = (
        database(steps, journeys)
        .execute(
            f"SELECT count(*), count_if(unconverted) FROM first_visits JOIN journeys USING (journey_id) "
            f"WHERE decided AND touchpoint = '{row['node']}' GROUP BY {hit} ORDER BY {hit} DESC"
        )
        .fetchall()
    )
    missing = lost - n * others_lost / others
    assert row["cost_value"] == pytest.approx(max(missing, 0.0))


@pytest.mark.parametrize("name", WORLDS)
def test_quiet_worlds_have_no_finding(name: str) -> None:
    """Where nothing is planted, nothing is found, in three worlds of each kind."""
    step = next(plant.step for plant in PLANTS if plant.world == name)
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        world = WORLDS[name](rng)
        steps, journeys = walk(world, journeys_for(world, step, 1_000), rng)
        assert search(world, steps, journeys) == []


@pytest.mark.parametrize(
    ("days", "told"),
    [((0, 6), False), ((40, 46), True), ((0, 36), True)],
    ids=["first", "later", "long"],
)
def test_how_the_data_begin_is_no_incident(days: tuple[int, int], told: bool) -> None:
    """Six bad days are an incident, but not the first six there are: what begins then may have begun before."""
    world, steps, journeys = _bad_days(*days)
    assert len(search(world, steps, journeys)) == told


@pytest.mark.parametrize("earlier", [True, False])
def test_days_told_apart_need_not_be_the_first(earlier: bool) -> None:
    """Where history was cut the first day that is told apart is like any other; where there is none before it, not."""
    world, steps, journeys = _bad_days(40, 46)
    since = (BEGIN.replace(tzinfo=None) - datetime(1970, 1, 1)).days + 40
    if not earlier:
        began = pc.min(steps["event_time"]).as_py() + timedelta(days=40)
        young = steps.group_by("journey_id").aggregate([("event_time", "min")])
        young = young.filter(pc.greater_equal(young["event_time_min"], began))[
            "journey_id"
        ].combine_chunks()
        steps, journeys = (t.filter(pc.is_in(t["journey_id"], young)) for t in (steps, journeys))
    counted = count_steps(steps, journeys, [], contacts=world.contacts, since=since)
    settings = Settings(world.stage_of, contacts=world.contacts, errors=world.errors)
    found, _ = find_incidents(StepCounts(counted, since), settings)
    assert len(found) == earlier


def _bad_days(first: int, end: int) -> tuple[World, pa.Table, pa.Table]:
    """A shop that has a planted incident on some days of those that there are."""
    plant = next(plant for plant in PLANTS if plant.begins and plant.world == "shop")
    rng = np.random.default_rng(11)
    world = WORLDS["shop"](rng)
    bad = replace(plant, hits=lambda device, day, hour: (day >= first) & (day < end))
    return world, *walk(world, journeys_for(world, plant.step, 8_000), rng, bad)


@pytest.mark.parametrize("better", [0.0, 0.15])
def test_what_has_no_way_there_is_no_peer(better: float) -> None:
    """Most begin at a page from which no demo can be asked for: four others that lead to one equally
    often are none the better for that; one that leads there twice as often is found, held against those three.
    """
    ways = ("webinar", "case_study", "comparison", "pricing")
    world = World(
        "demo", dict.fromkeys(("page", *ways), "evaluation") | {"demo": "decision"},
        ("evaluation", "decision"), "demo",
        {
            "START": {"page": 0.7, "webinar": 0.15, **dict.fromkeys(ways[1:], 0.05)},
            "page": dict.fromkeys(ways, 0.04),
            **{way: {"demo": 0.15} for way in ways},
            "pricing": {"demo": 0.15 + better},
            "demo": {},
        },
        dict.fromkeys(("page", *ways, "demo"), 600.0),
    )  # fmt: skip
    rows = search(world, *walk(world, 20_000, np.random.default_rng(1)))
    assert [(row["node"], row["target"]) for row in rows] == (
        [("pricing", "demo")] if better else []
    )
    assert all("(case_study, comparison, webinar)" in row["sentence"] for row in rows)


def test_the_order_of_rows_does_not_matter() -> None:
    """Shuffled steps and journeys give the same findings, to the last letter."""
    plant = PLANTS[2]
    rng = np.random.default_rng(3)
    world = WORLDS[plant.world](rng)
    steps, journeys = walk(world, journeys_for(world, plant.step, 1_500), rng, plant)
    shuffled = [t.take(pa.array(rng.permutation(len(t)))) for t in (steps, journeys)]
    assert search(world, *shuffled) == search(world, steps, journeys) != []


def test_the_value_of_contacts_is_of_those_who_ask_too_many() -> None:
    """By SQL: who goes from a step to ask for help converts less than others there, times the excess."""
    plant = next(p for p in PLANTS if p.world == "telecom")
    rng = np.random.default_rng(7)
    world = WORLDS["telecom"](rng)
    early = dict.fromkeys(("coverage", "tariffs", "website"), "consideration")
    hurt = replace(
        world, chain=world.chain | {"tariffs": {"hotline": 0.3, "order": 0.3, "coverage": 0.1}}
    )
    steps, journeys = walk(hurt, journeys_for(world, plant.step, 2_000), rng)
    counts = StepCounts(count_steps(steps, journeys, [], contacts=world.contacts), 0)
    asked = Settings(early, contacts=world.contacts, mean_value=1.0)
    quiet = np.ones(counts.days + 1, dtype=bool)
    (found,) = (f for f in find_standing(counts, quiet, asked, funnel=()) if f.kind == "contact")
    ((n, lost, others, others_lost, moved),) = (
        database(steps, journeys)
        .execute(
            """SELECT count_if(decided AND asks), count_if(unconverted AND asks),
                count_if(decided AND NOT asks), count_if(unconverted AND NOT asks), count_if(asks)
            FROM (SELECT *, coalesce(goes_to = 'hotline', false) AS asks FROM first_visits
                WHERE touchpoint = 'tariffs')"""
        )
        .fetchall()
    )
    missing = lost - n * others_lost / others
    assert found.cost_value == pytest.approx(
        missing * found.contrast.excess * found.contrast.trials / moved
    )
    assert found.cost_value > 0


@pytest.mark.parametrize(("share", "told"), [(1.0, False), (0.4, True)])
def test_who_came_for_help_is_not_held_against_others(share: float, told: bool) -> None:
    """A segment made of journeys that ask for help asks for more of it at every step: no finding; but of one in which
    two in five do it is told.
    """
    rng = np.random.default_rng(7)
    world = WORLDS["telecom"](rng)
    steps, journeys = walk(world, journeys_for(world, "tariffs", 2_000), rng)
    asking = steps.filter(pc.is_in(steps["touchpoint"], pa.array(sorted(world.contacts))))
    asks = pc.is_in(journeys["journey_id"], asking["journey_id"].combine_chunks()).to_numpy(
        zero_copy_only=False
    )
    beside = asks.sum() * (1 / share - 1) / (~asks).sum()
    kind = np.where(asks | (rng.random(len(asks)) < beside), "asking", "other")
    sliced = journeys.append_column("kind", pa.array(kind))
    counts = StepCounts(count_steps(steps, sliced, ["kind"], contacts=world.contacts), 0)
    settings = Settings(world.stage_of, contacts=world.contacts)
    quiet = np.ones(counts.days + 1, dtype=bool)
    found = find_standing(counts, quiet, settings, funnel=tuple(world.stage_of))
    assert any(f.segment == "kind" and f.kind == "contact" for f in found) == told
