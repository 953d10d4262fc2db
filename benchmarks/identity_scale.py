"""Who is who in 20M events with 5M identifiers: footpath's resolution beside DuckDB and scipy.

    python benchmarks/identity_scale.py                 # three rounds in turn, each in a process of its own
    python benchmarks/identity_scale.py --events 2000000

A world of links is drawn directly (nobody reads raw files here): persons with a login, an e-mail address and one to
three browsers, households that share a tablet, kiosks, a test login. Its events lie in Parquet files of 1M rows, as
in the lake.

footpath: `link_events` on slices of 131,072 rows, written as files, `resolve` under the default limits,
refusals, events on shared devices assigned by time, and the customer of every event: all that the stages ingest and
resolve do about identity, but for writing tables. DuckDB and scipy: the distinct edges of the same events by SQL,
identifiers numbered by SQL, connected components by scipy, and no more: no limits, no names, no customer of an event.
Both read the same Parquet files, and use all cores where they can.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ("user_id", "email", "anonymous_id")
FILE_ROWS = 1 << 20
SLICE_ROWS = 1 << 17
DAYS = 180


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--identifiers", type=int, help="default: a quarter of the events")
    parser.add_argument("--runs", type=int, default=3, help="rounds; medians are told")
    parser.add_argument(
        "--work", type=Path, help="where the world goes; default: a temporary folder"
    )
    parser.add_argument("--only", choices=["world", "footpath", "duckdb"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "world":
        write_world(options.work, options.events, options.identifiers or options.events // 4)
        return
    if options.only:
        run = {"footpath": footpath, "duckdb": duckdb_and_scipy}[options.only]
        steps = run(options.work)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        wall = sum(value for step, value in steps.items() if step.endswith(", s"))
        told = {"steps": steps, "peak_mb": peak, "wall_s": wall, "cpu_s": time.process_time()}
        print(json.dumps(told))
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        if not (work / "events").exists():
            _child("world", work, "--events", str(options.events))
        rows = sum(pq.read_metadata(path).num_rows for path in files(work))
        print(f"{rows:,} events")
        names = ("footpath", "duckdb")
        rounds = [
            {name: json.loads(_child(name, work)) for name in names} for _ in range(options.runs)
        ]
        medians = {}
        for name in names:
            runs = [told[name] for told in rounds]
            walls = sorted(run["wall_s"] for run in runs)
            wall, cpu = (statistics.median(run[key] for run in runs) for key in ("wall_s", "cpu_s"))
            medians[name] = wall, cpu
            print(
                f"{name}: {wall:.1f} s ({walls[0]:.1f} to {walls[-1]:.1f}), {cpu:.1f} s of cpu, "
                f"peak {max(run['peak_mb'] for run in runs):,.0f} MB; the last round:"
            )
            for step, value in runs[-1]["steps"].items():
                print(f"    {step}: {value:,.1f}" if "," in step else f"    {step}: {value:,}")
        wall, cpu = (mine / theirs for mine, theirs in zip(*medians.values(), strict=True))
        print(f"footpath takes {wall:.2f} x the time, {cpu:.2f} x the cpu")


def _child(only: str, work: Path, *arguments: str) -> str:
    """One part in a process of its own, so that its peak of memory is its own, too."""
    command = [sys.executable, __file__, "--only", only, "--work", str(work), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write_world(work: Path, events: int, identifiers: int) -> None:
    """Draw who did what when; with 1 login, 1 address and 1.5 browsers a person, 3.5 identifiers."""
    rng = np.random.default_rng(17)
    persons = round(identifiers / 3.5)
    devices = rng.choice([1, 2, 3], persons, p=[0.6, 0.3, 0.1])
    first_device = np.cumsum(devices) - devices
    households = rng.random(persons // 2) < 0.04
    (work / "events").mkdir(parents=True)
    day = np.sort(rng.integers(0, DAYS * 86_400, events)) * 1_000_000
    for number, start in enumerate(range(0, events, FILE_ROWS)):
        size = min(FILE_ROWS, events - start)
        person = (persons * rng.random(size) ** 1.5).astype(np.int64)
        device = first_device[person] + rng.integers(0, devices[person])
        logged_in = rng.random(size) < 0.3
        tells_mail = logged_in & (rng.random(size) < 0.15)
        mailing = rng.random(size) < 0.1  # an e-mail event: an address and nothing else
        browser = np.char.add("d", device.astype(str))
        at_home = households[np.minimum(person // 2, len(households) - 1)] & (
            rng.random(size) < 0.2
        )
        browser = np.where(at_home, np.char.add("tablet", (person // 2).astype(str)), browser)
        at_kiosk = rng.random(size) < 0.0005
        browser = np.where(at_kiosk, np.char.add("kiosk", (person % 20).astype(str)), browser)
        user = np.char.add("u", person.astype(str))
        user = np.where(rng.random(size) < 0.0002, "test login", user)
        table = pa.table(
            {
                "id_user_id": pa.array(user, mask=~logged_in | mailing),
                "id_email": pa.array(
                    np.char.add(np.char.add("m", person.astype(str)), "@example.com"),
                    mask=~(tells_mail | mailing),
                ),
                "id_anonymous_id": pa.array(browser, mask=mailing),
                "event_time": pa.array(day[start : start + size], pa.timestamp("us", "UTC")),
            }
        )
        pq.write_table(table, work / "events" / f"{number:04d}.parquet", compression="zstd")


def files(work: Path) -> list[Path]:
    return sorted((work / "events").glob("*.parquet"))


def footpath(work: Path) -> dict[str, float]:
    """Links, resolution, refusals, shared devices and the customer of every event."""
    from datetime import timedelta

    from contracts.config import Identity
    from models.dictionaries import DICTIONARY
    from models.distinct import ascending
    from models.identity import resolve
    from models.identity_refusals import refusals
    from models.links import link_events
    from models.refused_values import REFUSED
    from models.shared_devices import CustomersByTime, assign, named
    from transforms.link_files import LinkFiles, write_links
    from transforms.process import set_up_process

    set_up_process()
    (work / "links").mkdir(exist_ok=True)

    def link_file(path: Path) -> int:
        tables: list[pa.Table] = []
        codes = []
        whole = pq.ParquetFile(path).read(use_threads=False)
        for start in range(0, len(whole), SLICE_ROWS):
            events = whole.slice(start, SLICE_ROWS)
            events = events.append_column(REFUSED, pa.nulls(len(events), DICTIONARY))
            code, links = link_events(events, NAMES)
            codes.append(code + sum(map(len, tables)))
            tables.append(links)
        write_links(work / "links" / f"{path.stem}.arrow", pa.concat_tables(tables))
        np.save(work / "links" / f"{path.stem}.npy", np.concatenate(codes))
        return sum(map(len, tables))

    steps: dict[str, float] = {}
    clock = time.monotonic()
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:  # as the stage's kernels run
        counts = list(pool.map(link_file, files(work)))
    steps["links, s"] = time.monotonic() - clock
    steps["links"] = sum(counts)

    read = LinkFiles(tuple(work / "links" / f"{path.stem}.arrow" for path in files(work)))
    clock = time.monotonic()
    found = resolve(read, NAMES, Identity(), threads=threads)
    steps["resolve, s"] = time.monotonic() - clock
    clock = time.monotonic()
    refused = refusals(found, read, Identity())
    steps["refusals, s"] = time.monotonic() - clock
    clock = time.monotonic()
    nodes, shared = np.unique(found.on_shared.device, return_inverse=True)
    first_link = np.cumsum([0, *counts])
    device_of = np.full(first_link[-1], -1, np.int32)
    device_of[found.on_shared.link] = shared

    def event_file(path: Path, start: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        link = np.load(work / "links" / f"{path.stem}.npy") + start
        customers = found.link_customers[link]
        rows = np.flatnonzero(device_of[link] >= 0)
        times = pq.ParquetFile(path).read(["event_time"], use_threads=False)["event_time"]
        time_us = times.cast(pa.int64()).to_numpy()[rows]
        return customers, (device_of[link[rows]], time_us, customers[rows], rows)

    with ThreadPoolExecutor(threads) as pool:
        customers, seen = zip(*pool.map(event_file, files(work), first_link[:-1]), strict=True)
    device, time_us, customer, _ = (np.concatenate(column) for column in zip(*seen, strict=True))
    within = Identity().within // timedelta(microseconds=1)
    intervals = named(assign(device, time_us, customer, within), found.hashes[nodes])
    who = CustomersByTime(intervals.device, intervals.start_us, intervals.customer)
    for of_file, (device, time_us, customer, rows) in zip(customers, seen, strict=True):
        at = customer == 0
        of_file[rows[at]] = who.at(device[at], time_us[at])
    steps["customers of events, s"] = time.monotonic() - clock
    steps["identifiers"] = len(found.hashes)
    steps["customers"] = len(ascending(found.customer)) - 1
    steps["shared devices"] = len(nodes)
    steps["refused"] = len(refused)
    steps["intervals"] = len(intervals)
    steps["largest customer, identifiers"] = int(np.bincount(found.constrained.labels).max())
    return steps


def duckdb_and_scipy(work: Path) -> dict[str, float]:
    """Distinct edges by SQL, components by scipy."""
    import duckdb
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    con = duckdb.connect(config={"threads": len(os.sched_getaffinity(0))})
    con.execute("SET enable_progress_bar = false")
    events = f"read_parquet('{work}/events/*.parquet')"
    steps: dict[str, float] = {}
    clock = time.monotonic()
    con.execute(
        f"""
        CREATE TABLE nodes AS SELECT row_number() OVER () - 1 AS node, namespace, value FROM (
            SELECT DISTINCT 0 AS namespace, id_user_id AS value FROM {events} WHERE id_user_id IS NOT NULL
            UNION ALL
            SELECT DISTINCT 1, id_email FROM {events} WHERE id_email IS NOT NULL
            UNION ALL
            SELECT DISTINCT 2, id_anonymous_id FROM {events} WHERE id_anonymous_id IS NOT NULL)
        """
    )
    steps["nodes, s"] = time.monotonic() - clock
    clock = time.monotonic()
    pairs = " UNION ALL ".join(
        f"SELECT DISTINCT {a} AS a, id_{NAMES[a]} AS x, {b} AS b, id_{NAMES[b]} AS y FROM {events} "
        f"WHERE id_{NAMES[a]} IS NOT NULL AND id_{NAMES[b]} IS NOT NULL"
        for a in range(3)
        for b in range(a + 1, 3)
    )
    edges = con.execute(
        f"""
        SELECT l.node AS source, r.node AS target FROM ({pairs})
        JOIN nodes l ON l.namespace = a AND l.value = x JOIN nodes r ON r.namespace = b AND r.value = y
        """
    ).fetchnumpy()
    steps["distinct edges, s"] = time.monotonic() - clock
    clock = time.monotonic()
    ((size,),) = con.execute("SELECT count(*) FROM nodes").fetchall()
    ends = (edges["source"], edges["target"])
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
    count, labels = connected_components(graph.tocsr(), directed=False)
    steps["components, s"] = time.monotonic() - clock
    steps["identifiers"] = size
    steps["distinct edges"] = len(ends[0])
    steps["components"] = count
    steps["largest component, identifiers"] = int(np.bincount(labels).max())
    return steps


if __name__ == "__main__":
    main()
