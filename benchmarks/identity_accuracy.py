"""How often footpath is right about who is who, in generated worlds with everything that ties strangers.

    python -m benchmarks.identity_accuracy             # 3 seeds of 100,000 events

Households of three with a tablet, kiosks, up to three browsers a person, null-likes, addresses in many spellings,
receipts without a name. Precision and recall are over pairs of touchpoints; `knowable` of `benchmarks.truth` says
which pairs of one person the data can tie at all. Each row resolves the same events anew; of several worlds the least
is told, too. 'plain' is connected components: no limits, no devices, nothing refused.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path

import duckdb

from benchmarks.truth import knowable, pairwise
from contracts.config import Config
from contracts.loading import load_config
from footpath.demonstration import CONFIG
from footpath.generator import Scenario, generate
from pipelines import ingest, resolve, sessionize
from pipelines.job import Run, run_stage

MODES: dict[str, dict[str, object]] = {
    "device_split, within 30 min (default)": {},
    "plain": {"shared_devices": "none", "max_stronger": 10**9, "max_weaker": 10**9},
    "none (limits only)": {"shared_devices": "none"},
    "last_auth": {"shared_devices": "last_auth"},
    "device_split, within 1 d": {"within": "1d"},
    "device_split, within 5 min": {"within": "5m"},
}

Row = tuple[float, ...]
"""Precision and recall over knowable events, the same over all; persons in the largest customer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    parser.add_argument("--households", type=float, default=0.2)
    parser.add_argument("--household-size", type=int, default=3)
    parser.add_argument("--kiosk-share", type=float, default=0.01)
    parser.add_argument("--modes", nargs="*", choices=[*MODES], default=[*MODES])
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    os.environ.setdefault("FOOTPATH_KEY", "benchmark")
    worlds = []
    for seed in options.seeds:
        scenario = Scenario(
            events=options.events,
            seed=seed,
            household_share=options.households,
            household_size=options.household_size,
            kiosks=3,
            kiosk_share=options.kiosk_share,
            null_like_share=0.01,
        )
        with tempfile.TemporaryDirectory() as folder:
            worlds.append(compare(Path(folder), scenario, options.modes))
    if len(worlds) > 1:
        print(f"the least of {len(worlds)} worlds; the largest of their largest customers")
        for name, rows in zip(options.modes, zip(*worlds, strict=True), strict=True):
            *shares, largest = zip(*rows, strict=True)
            _print_row(name, (*map(min, shares), max(largest)))


def compare(folder: Path, scenario: Scenario, modes: list[str]) -> list[Row]:
    """Print a row for every way to resolve one world."""
    generate(folder / "data", scenario)
    (folder / "footpath.yml").write_text(CONFIG, encoding="utf-8")
    base = load_config(folder / "footpath.yml")
    print(
        f"seed {scenario.seed}, {scenario.events:,} events: {scenario.household_share:.0%} in households "
        f"of {scenario.household_size}, ",
        end="",
    )
    print(f"{scenario.kiosk_share:.1%} of sessions at one of {scenario.kiosks} kiosks")
    print(f"{'':40} {'knowable events':^21} {'all events':^21}  persons in the")
    print(
        f"{'':40} {'precision':>10} {'recall':>10} {'precision':>10} {'recall':>10}  largest customer"
    )
    rows = []
    for name in modes:
        rows.append(measured(folder, changed(base, MODES[name], plain=name == "plain")))
        _print_row(name, rows[-1])
    return rows


def _print_row(name: str, row: Row) -> None:
    *shares, largest = row
    print(f"{name:40} {' '.join(f'{share:10.5f}' for share in shares)}{largest:18.0f}", flush=True)


def changed(base: Config, changes: dict[str, object], plain: bool) -> Config:
    """The configuration with another way to resolve."""
    identity = type(base.identity).model_validate(base.identity.model_dump(mode="json") | changes)
    if plain:
        without = {
            name: spec.model_copy(update={"limit": None, "device": False})
            for name, spec in identity.namespaces.items()
        }
        identity = identity.model_copy(update={"namespaces": without})
    return base.model_copy(update={"identity": identity})


def measured(folder: Path, config: Config) -> Row:
    """Resolve and compare with the truth; events ingested for another way are taken from it."""
    run = Run.begin(config)
    for stage in (ingest, resolve, sessionize):
        run_stage(run, stage.STAGE)
    run.lake.publish(run.draft)
    con = duckdb.connect()
    for table in ("events", "touchpoints"):
        paths = [str(path) for path in run.lake.paths(run.draft, table)]
        con.execute(
            f"CREATE VIEW {table} AS FROM read_parquet({paths}, union_by_name = true, hive_partitioning = false)"
        )
    truth = folder / "data" / "truth" / "events.parquet"
    con.execute(f"CREATE VIEW truth AS FROM read_parquet('{truth}')")
    knowable(con, "events")
    con.execute(
        "CREATE TABLE matched AS SELECT customer_id, truth.person_id, label FROM touchpoints "
        "JOIN truth USING (source, event_id) LEFT JOIN knowable USING (source, event_id)"
    )
    precision, recall = pairwise(con, "customer_id", "person_id")
    ((most,),) = con.execute(
        "SELECT max(n) FROM (SELECT count(DISTINCT person_id) AS n FROM matched GROUP BY customer_id)"
    ).fetchall()
    con.execute("DELETE FROM matched WHERE label IS NULL")
    known = pairwise(con, "customer_id", "person_id")[0], pairwise(con, "customer_id", "label")[1]
    return *known, precision, recall, most


if __name__ == "__main__":
    main()
