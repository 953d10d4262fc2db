"""Killed at any moment: the published version is whole, and the next run completes it.

    python benchmarks/crashes.py [--kills 200] [--events 300] [--seed 1] [--log crashes.jsonl]

Runs of a small shop (`deliveries.py`) are killed with SIGKILL: each in a stage drawn at random, after a part of that
stage's time drawn at random; first runs, incremental ones and full refreshes in turn, each trial with one to six kills.
Runs are forks of one process that has loaded everything and has no threads. Trials are added to the log; those that it
holds already count, so that a benchmark that was stopped goes on. After each kill

- the version that readers follow is the old one or the new one, every file of it is there, and none has changed;
- an old one has the bytes of the database that it had, a new one the digests of a run that nobody killed;

and the run that is left alone afterwards ends with those digests, too.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.deliveries import (
    STAGES,
    broken_files,
    configure,
    deliver,
    digests,
    logged,
    make_raw,
    one_of_each,
    seconds,
    start_run,
    write_log,
)
from contracts.config import Config
from contracts.lake import Lake

__all__ = ["KINDS", "Outcome", "Shop", "try_kills"]

KINDS = ("first", "incremental", "full refresh")


@dataclass
class Shop:
    """What trials start from: a warehouse for each kind of run, its files, and what is to come out."""

    folder: Path
    raw: list[Path]
    whole: dict[str, str]
    durations: dict[str, list[float]]
    """Seconds of each stage, in a run of each kind that nobody killed."""

    @classmethod
    def open(cls, folder: Path, events: int) -> Shop:
        """Make the files, and run once each way."""
        raw = make_raw(folder / "raw", events)
        shop = cls(folder, raw, {}, {})
        config = shop.begin(KINDS[0])
        for path in sorted({*raw[1::2]} - {*one_of_each(raw)}):
            (folder / "trial/data" / path.parent.name / path.name).unlink()
        start_run(config).end()
        shop._keep("half")
        for kind in KINDS:
            run = start_run(shop.begin(kind), full_refresh=kind == KINDS[2])
            times = [time.monotonic()]
            while run.wait_for(len(times)):
                times.append(time.monotonic())
            run.end()
            shop.durations[kind] = [b - a for a, b in itertools.pairwise(times)]
            shop.whole = shop.whole or digests(config)
            if digests(config) != shop.whole:
                raise RuntimeError(f"a run of kind '{kind}' that nobody killed differs")
            if kind == KINDS[1]:
                shop._keep("done")
        return shop

    def _keep(self, name: str) -> None:
        shutil.copytree(self.folder / "trial", self.folder / name, symlinks=True)

    def begin(self, kind: str) -> Config:
        """A warehouse before a run of the kind, with all files delivered."""
        trial = (
            self.folder / "trial"
        )  # the ledger knows files by their paths, so all is done in one place
        shutil.rmtree(trial, ignore_errors=True)
        if before := {KINDS[1]: "half", KINDS[2]: "done"}.get(kind):
            shutil.copytree(self.folder / before, trial, symlinks=True)
        config = configure(trial)
        deliver(trial, self.raw)
        return config


@dataclass
class Outcome:
    """What became of a trial."""

    killed_in: list[str]
    """The stage of each kill; none for a run that had ended before."""
    problems: list[str]
    switched: int = 0
    """Kills after which the new version was there."""


def try_kills(shop: Shop, kind: str, chance: random.Random) -> Outcome:
    """Kill a run of the kind one to six times, then let it end; look at the warehouse each time."""
    config = shop.begin(kind)
    lake = Lake(config.warehouse)
    known: dict[str, str] = {}
    outcome = Outcome([], broken_files(config, known))
    old = lake.published().version
    for _ in range(chance.randint(1, 6)):
        run = start_run(config, full_refresh=kind == KINDS[2])
        stage = chance.randrange(len(STAGES))
        if run.wait_for(stage):
            # Publication goes on after its stage: the link is switched, old versions go.
            time.sleep(chance.uniform(0, 1.1) * shop.durations[kind][stage])
            run.kill()
        if run.end() < 0:
            outcome.killed_in.append(STAGES[stage])
        outcome.problems += broken_files(config, known)
        if lake.published().version != old:
            outcome.switched += 1
            _compare(outcome, "the new version", digests(config), shop.whole)
    if run_status := start_run(config).end():
        outcome.problems.append(f"the last run ended with {run_status}")
    outcome.problems += broken_files(config, known)
    _compare(outcome, "the outcome", digests(config), shop.whole)
    return outcome


def _compare(outcome: Outcome, what: str, found: dict[str, str], whole: dict[str, str]) -> None:
    tables = sorted(n for n in whole.keys() | found.keys() if found.get(n) != whole.get(n))
    if tables:
        outcome.problems.append(f"{what} differs in {', '.join(tables)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, default=Path("crashes.jsonl"))
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    started = time.monotonic()
    trials = logged(given.log)
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop.open(Path(folder), given.events)
        while sum(len(trial["killed_in"]) for trial in trials) < given.kills:
            seed = given.seed + len(trials)
            kind = KINDS[len(trials) % len(KINDS)]
            outcome = try_kills(shop, kind, random.Random(seed))
            trials.append({"seed": seed, "kind": kind, **vars(outcome)})
            write_log(given.log, trials[-1])
            said = "; ".join(outcome.problems) or "whole, and completed"
            places = ", ".join(outcome.killed_in) or "nowhere"
            print(
                f"seed {seed}: {kind}, killed in {places}: {said} ({seconds(started)})", flush=True
            )
    killed = Counter((trial["kind"], stage) for trial in trials for stage in trial["killed_in"])
    wrong = sum(bool(trial["problems"]) for trial in trials)
    switched = sum(trial["switched"] for trial in trials)
    print("\n| killed in | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for stage in STAGES:
        print(f"| {stage} | " + " | ".join(str(killed[kind, stage]) for kind in KINDS) + " |")
    print(
        f"\n{sum(killed.values())} kills in {len(trials)} trials, {switched} with the new version in place; "
        f"{wrong} trials went wrong"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
