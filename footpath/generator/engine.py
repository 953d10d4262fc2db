"""From a scenario to files: chunk by chunk, with everything counted.

A chunk is a number of persons that make about `Scenario.chunk_events` events. Chunks share nothing
but the kiosks, each draws from random streams of its own, and memory holds one at a time.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from footpath.generator.email import email_feed
from footpath.generator.feeds import Chunk, Feed, connect, texts
from footpath.generator.lines import Kind, Records, file_starts, plan_records
from footpath.generator.population import populate, uuids
from footpath.generator.scenario import Scenario
from footpath.generator.spellings import namespaces
from footpath.generator.store import store_feed
from footpath.generator.support import support_feed
from footpath.generator.touchpoints import CODES, CONVERSIONS, LOGIN, SOURCES, TOUCHPOINTS
from footpath.generator.truth import (
    TruthWriter,
    defects_table,
    events_table,
    identifiers_table,
    pain_points_table,
    persons_table,
    touchpoints_table,
)
from footpath.generator.walk import Steps, walk
from footpath.generator.web import web_feed

__all__ = ["SourceCounts", "Summary", "generate"]

_FEEDS: dict[str, Callable[[Chunk, Steps], Feed]] = {
    "web": web_feed,
    "email": email_feed,
    "store": store_feed,
    "support": support_feed,
}
_SOURCE_OF = np.array([SOURCES.index(t.source) for t in (*TOUCHPOINTS, LOGIN)])
_PILOT_PERSONS = 8_000


@dataclass
class SourceCounts:
    """What one source's files hold.

    ``records = events + duplicates + malformed + future``. The other figures count events:
    `late` in a later file than their time suggests, `null_identifiers` with a null-like where an
    identifier should be, `consent_denied` with a refusal.
    """

    files: int = 0
    lines: int = 0
    bytes: int = 0
    records: int = 0
    events: int = 0
    duplicates: int = 0
    malformed: int = 0
    future: int = 0
    late: int = 0
    null_identifiers: int = 0
    consent_denied: int = 0


@dataclass
class Summary:
    """What was generated, exactly; written as ``truth/summary.json``.

    Attributes
    ----------
    seed, start, end
        Of the scenario; `end` is the last day.
    persons, events, sessions, journeys, conversions
        In the planted truth.
    sources
        Counts of each source.
    pain_points
        Events at which each planted pain point struck.
    files
        Lines of each file, by path relative to the output folder.
    """

    seed: int
    start: str
    end: str
    persons: int = 0
    events: int = 0
    sessions: int = 0
    journeys: int = 0
    conversions: int = 0
    sources: dict[str, SourceCounts] = field(default_factory=dict)
    pain_points: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


def generate(
    out: Path, scenario: Scenario, progress: Callable[[int, int], None] | None = None
) -> Summary:
    """Write a world: raw files by source, and the truth beside them.

    Parameters
    ----------
    out
        Folder to write to; created where it does not exist.
    scenario
        What to generate.
    progress
        Called after each chunk with the persons done and the persons in all.

    Returns
    -------
    Summary
        Also written as ``out/truth/summary.json``, last of all: where it is, all is.

    Raises
    ------
    FileExistsError
        Where `out` holds anything: old files would be read together with the new.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(
            f"{out} is not empty: choose another folder, or remove what is in it first"
        )
    (out / "truth").mkdir(parents=True)
    for source in scenario.channels:
        (out / source).mkdir()

    persons = max(1, round(scenario.events / _events_per_person(scenario)))
    chunks = -(-scenario.events // scenario.chunk_events)
    per_chunk = -(-persons // chunks)
    kiosk_ids = uuids(_stream(scenario, 0), scenario.kiosks)
    listed: set[str] = set()
    summary = Summary(
        seed=scenario.seed,
        start=scenario.start.isoformat(),
        end=(scenario.end - dt.timedelta(days=1)).isoformat(),
        persons=persons,
        sources={source: SourceCounts() for source in SOURCES if source in scenario.channels},
        pain_points={pain_point.name: 0 for pain_point in scenario.pain_points},
    )
    with TruthWriter(out / "truth") as truth, connect() as connection:
        for index, first in enumerate(range(0, persons, per_chunk)):
            size = min(per_chunk, persons - first)
            population = populate(scenario, _stream(scenario, 1, index), first, size, kiosk_ids)
            steps = walk(scenario, population, _stream(scenario, 2, index))
            names = namespaces(population)
            for source in summary.sources:
                number = SOURCES.index(source)
                rng = _stream(scenario, 3, index, number)
                chunk = Chunk(index, scenario, population, names, rng)
                rows = np.flatnonzero(_SOURCE_OF[steps.touchpoint] == number)
                _write_source(out, chunk, source, steps.take(rows), connection, truth, summary)
            truth.write("persons", persons_table(chunk))
            truth.write("identifiers", identifiers_table(chunk, listed))
            _count_steps(summary, scenario, steps)
            if progress is not None:
                progress(first + size, persons)
        truth.write("pain_points", pain_points_table(scenario, summary.pain_points))
        truth.write("touchpoints", touchpoints_table())
    text = json.dumps(asdict(summary), indent=2) + "\n"
    (out / "truth" / "summary.json").write_text(text, encoding="utf-8")
    return summary


def _stream(scenario: Scenario, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(scenario.seed, spawn_key=key))


def _events_per_person(scenario: Scenario) -> float:
    """Events that a person makes on average, measured on a pilot that is the same for all seeds."""
    rng = np.random.default_rng(0)
    pilot = populate(scenario, rng, 0, _PILOT_PERSONS, uuids(rng, scenario.kiosks))
    return len(walk(scenario, pilot, rng)) / _PILOT_PERSONS


def _write_source(
    out: Path,
    chunk: Chunk,
    source: str,
    steps: Steps,
    connection: duckdb.DuckDBPyConnection,
    truth: TruthWriter,
    summary: Summary,
) -> None:
    """Write one source of one chunk: its files, its events and its defects."""
    scenario = chunk.scenario
    feed = _FEEDS[source](chunk, steps)
    records = plan_records(scenario, chunk.rng, steps.time, batched=feed.batched)
    extra = int(records.extra.max(initial=-1)) + 1
    ids = pa.concat_arrays([feed.event_id, feed.extra_ids(extra)]).take(
        pa.array(np.where(records.extra < 0, records.row, len(steps) + records.extra))
    )
    days = file_starts(scenario).astype("datetime64[ms]").astype("datetime64[D]")
    files = [f"{source}/{day}-{chunk.index:05d}.jsonl" for day in days]
    truth.write("events", events_table(chunk, feed))
    truth.write("defects", defects_table(feed, records, ids, files))

    counts = summary.sources[source]
    for number, text in texts(connection, feed, records, ids):
        with (out / files[number]).open("ab") as file:
            counts.bytes += file.write(text)
    _count_records(counts, chunk, feed, records)
    lines = np.bincount(records.file[records.closes], minlength=len(files))
    for name, count in zip(files, lines.tolist(), strict=True):
        if count:
            counts.files += 1
            summary.files[name] = count


def _count_records(counts: SourceCounts, chunk: Chunk, feed: Feed, records: Records) -> None:
    kinds = Counter(records.kind.tolist())
    consent = chunk.population.consent[feed.steps.person]
    counts.lines += int(records.closes.sum())
    counts.records += len(records)
    counts.events += kinds[Kind.EVENT]
    counts.duplicates += kinds[Kind.DUPLICATE]
    counts.future += kinds[Kind.FUTURE]
    counts.malformed += sum(kinds[kind] for kind in Kind if kind >= Kind.MISSING_TIME)
    counts.late += int(records.late.sum())
    counts.null_identifiers += sum(int(rows.sum()) for rows in feed.nothing_in.values())
    counts.consent_denied += int((~consent).sum()) if feed.source == "web" else 0


def _count_steps(summary: Summary, scenario: Scenario, steps: Steps) -> None:
    last = np.diff(steps.person, append=-1) != 0
    summary.events += len(steps)
    summary.sessions += int(steps.session[last].sum())
    summary.journeys += int(steps.journey[last].sum())
    conversions = [CODES[name] for name in CONVERSIONS]
    summary.conversions += int(np.isin(steps.touchpoint, conversions).sum())
    for index, pain_point in enumerate(scenario.pain_points):
        summary.pain_points[pain_point.name] += int((steps.pain_point == index).sum())
