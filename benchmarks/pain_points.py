"""Planted pains found, and quiet worlds left quiet.

    python -m benchmarks.pain_points --seeds 30 --through 2000

Prints a table as in docs/pain_points.md. Seeds begin at 7,000, those of quiet worlds at 80,000: no
floor or margin was chosen by these worlds; tests use smaller ones.
"""

from __future__ import annotations

import argparse
from datetime import date, datetime, timedelta

import numpy as np

from benchmarks.journey_worlds import BEGIN, DAYS, PLANTS, WORLDS, Plant, World, journeys_for, walk
from models.pain_points import Settings, find_pain_points
from models.pain_points.daily import StepCounts
from models.step_counts import count_steps
from models.transition_counts import count_transitions
from models.transition_tables import finish

SEGMENTS = ("device", "region")


def search(world: World, steps, journeys) -> list[dict]:
    """Findings of a world, by rank."""
    since = (BEGIN.replace(tzinfo=None) - datetime(1970, 1, 1)).days - 1
    settings = Settings(
        stage_of=world.stage_of,
        stages=world.stages,
        contacts=world.contacts,
        errors=world.errors,
        conversions=frozenset({world.conversion}),
        min_volume=200,
        mean_value=1.0,
    )
    counts = count_steps(
        steps, journeys, SEGMENTS, contacts=world.contacts, window=settings.window, since=since
    )
    stages, transitions = finish(count_transitions(steps, journeys, SEGMENTS))
    return find_pain_points(stages, transitions, StepCounts(counts, since), settings).to_pylist()


def tells(plant: Plant, row: dict) -> bool:
    """Whether a finding is the planted one."""
    return bool(
        {row["node"], row["target"]} & plant.nodes
        and row["kind"] in plant.kinds
        and row["segment"] == plant.segment[0]
        and (plant.segment[0] != "device" or row["segment_value"] == plant.segment[1])
    )


def _near(found: date | None, planted: date | None) -> bool:
    return found is not None and planted is not None and abs(found - planted) <= timedelta(days=3)


def _within(row: dict, end: str, planted: date | None) -> bool:
    low, high = row[f"{end}_earliest"], row[f"{end}_latest"]
    return low is not None and planted is not None and low <= planted <= high


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--through", type=int, default=2_000)
    parser.add_argument("--quiet", type=int, help="seeds of worlds without a plant, if others")
    parser.add_argument("--only", choices=WORLDS, help="one world")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    print(
        "| planted | flagged | ranked first of these | other flags a run | begins within 3 days | ends "
        "| interval holds the begin | the end |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for plant in (p for p in PLANTS if options.only in (None, p.world)):
        flagged = first = others = 0
        days = np.zeros(4, dtype=int)
        for seed in range(options.seeds):
            rng = np.random.default_rng(7_000 + seed)
            world = WORLDS[plant.world](rng)
            n = journeys_for(world, plant.step, options.through)
            rows = search(world, *walk(world, n, rng, plant))
            ours = [row for row in rows if tells(plant, row)]
            others += len(rows) - bool(ours)
            if options.verbose:
                for row in rows if len(rows) != 1 or not ours else ():
                    print("   ", seed, bool(ours), row["kind"], row["rank"], row["sentence"])
            if ours:
                flagged += 1
                first += ours[0]["rank"] == 1
                days += [
                    _near(ours[0]["begins"], plant.begins),
                    _near(ours[0]["ends"], plant.ends),
                    _within(ours[0], "begins", plant.begins),
                    _within(ours[0], "ends", plant.ends),
                ]
        dated = [f"{n} of {flagged}" if plant.begins else "" for n in days]
        print(
            f"| {plant.name} | {flagged} of {options.seeds} | {first} of {flagged} | "
            f"{others / options.seeds:.2f} | {' | '.join(dated)} |",
            flush=True,
        )
    print("\n| nothing planted | runs with a finding |\n|---|---|")
    for name, make in WORLDS.items():
        if options.only not in (None, name):
            continue
        alarms = 0
        step = next(plant.step for plant in PLANTS if plant.world == name)
        quiet = options.seeds if options.quiet is None else options.quiet
        for seed in range(quiet):
            rng = np.random.default_rng(80_000 + seed)
            world = make(rng)
            rows = search(world, *walk(world, journeys_for(world, step, options.through), rng))
            alarms += bool(rows)
            if options.verbose:
                for row in rows:
                    print("   ", seed, row["kind"], row["sentence"])
        print(f"| {name} | {alarms} of {quiet} |", flush=True)
    print(f"\n{DAYS} days, {options.through:,} journeys through the step.")


if __name__ == "__main__":
    main()
