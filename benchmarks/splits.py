"""Any order, split, repetition and lateness of the same files gives the same tables: tried at random.

    python benchmarks/splits.py [--trials 100] [--events 300] [--seed 1] [--log splits.jsonl] [--patch]

The files of a small shop (`deliveries.py`) are dealt to 2 to 10 runs, in a random order, so that most files come late
to some others; some are delivered again in a later run, under another name. After the last run the digest of every
table must be that of one run over all the files. What differs is printed, with the seed of the trial.

Runs are forks of one process that has loaded everything and has no threads. Great Expectations is asked in the last run
of a trial only. Trials are added to the log; those that it holds already count.

A run of so small a shop affects most of its customers, and builds the database from nothing. With `--patch` every run
that may goes on from a copy of the version before, however many rows it replaces.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.deliveries import (
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

__all__ = ["try_split"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, default=Path("splits.jsonl"))
    parser.add_argument("--patch", action="store_true")
    given = parser.parse_args()
    if given.patch:
        import sql.revision  # after deliveries has seen to it that there are no threads

        sql.revision._MOST = 0
    logging.getLogger().setLevel(logging.ERROR)
    started = time.monotonic()
    trials = logged(given.log)
    with tempfile.TemporaryDirectory() as folder:
        raw = make_raw(Path(folder, "raw"), given.events)
        whole = _outcome(Path(folder, "whole"), [raw])
        while len(trials) < given.trials:
            seed = given.seed + len(trials)
            plan = deal(raw, random.Random(seed))
            differing = try_split(Path(folder, "trial"), plan, whole)
            trials.append({"seed": seed, "runs": len(plan), "differing": differing})
            write_log(given.log, trials[-1])
            verdict = f"differs in {', '.join(differing)}" if differing else "equal"
            print(f"seed {seed}: {len(plan)} runs, {verdict} ({seconds(started)})", flush=True)
    wrong = sum(bool(trial["differing"]) for trial in trials)
    runs = sum(trial["runs"] for trial in trials)
    print(
        f"{len(trials)} splits of {len(raw)} files, {runs} runs: {len(trials) - wrong} equal to one run, "
        f"{wrong} not; {len(whole)} tables compared each"
    )
    sys.exit(bool(wrong))


Delivery = list[tuple[Path, str]]
"""Files, each with what its name is preceded by."""


def deal(raw: list[Path], chance: random.Random) -> list[Delivery]:
    """Deal the files to 2 to 10 runs, the first with one of each source; some files come twice."""
    runs = chance.randint(2, 10)
    files = chance.sample(raw, len(raw))
    first = one_of_each(files)
    later = [file for file in files if file not in first]
    plan: list[Delivery] = [[(file, "") for file in first]]
    plan += [[(file, "")] for file in later[: runs - 1]]
    for file in later[runs - 1 :]:
        chance.choice(plan).append((file, ""))
    for number in range(1, runs):
        if chance.random() < 0.5:
            file, _ = chance.choice(chance.choice(plan[:number]))
            plan[number].append((file, f"again{number}-"))
    return plan


def try_split(folder: Path, plan: list[Delivery], whole: dict[str, str]) -> list[str]:
    """Run a plan in an empty folder; the tables whose digests differ from the given ones."""
    found = _outcome(folder, plan)
    return sorted(
        name for name in whole.keys() | found.keys() if found.get(name) != whole.get(name)
    )


def _outcome(folder: Path, plan: list[Delivery] | list[list[Path]]) -> dict[str, str]:
    shutil.rmtree(folder, ignore_errors=True)
    config = configure(folder)
    for number, delivery in enumerate(plan, start=1):
        for entry in delivery:
            file, rename = entry if isinstance(entry, tuple) else (entry, "")
            deliver(folder, [file], rename)
        if status := start_run(config, expectations=number == len(plan)).end():
            raise RuntimeError(f"a run ended with {status}")
    return digests(config)


if __name__ == "__main__":
    main()
