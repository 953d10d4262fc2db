"""Ingest: raw files to `events`, `dead_letters`, `quarantine` and `ingest_ledger`.

Files that the ledger knows (path, size, time of change) are not opened; a file whose content
was read before under another name is recorded and not read. A source whose declaration changed is read anew.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.config import Config
from contracts.errors import ConfigError, InputError
from contracts.lake import DataFile, Manifest, digest_of
from contracts.schemas import table_schema
from models.consent import consent_schema
from models.event_keys import power_of_two
from models.source_sql import Mapping, compile_mapping
from pipelines.decisions import read_quarantine_orders
from pipelines.drift import find_drift
from pipelines.job import (
    Reprocess,
    Run,
    Stage,
    collect,
    data_files,
    main,
    read_results,
    scratch_folder,
)
from pipelines.quarantine import Released, due, held_files, let_go
from pipelines.records import without_records
from pipelines.reprocess import Withdrawn, withdrawn_files
from transforms.deduplicate import Deduplicate, Removal, winners
from transforms.kernel import Kernel, count
from transforms.map_slices import KeyPart, MapSlices, spill_events
from transforms.parts import Part, read_parts
from transforms.plan_files import PlannedFile, SourceFile, list_files, plan_file
from transforms.suspicions import suspicions
from transforms.write_events import WriteEvents

__all__ = ["STAGE", "IngestPlan", "buckets_of_keys", "contracts_of", "read_ledger", "write_ledger"]

_LOG = logging.getLogger("footpath")
_COUNTS = ("records_read", "dead_letters", "quarantined", "withheld", "erased")
_BYTES_A_KEY_BUCKET = 512 << 20


_LAYOUT = 2
"""How files of events and links look; what was written in another layout is read anew."""
_LIMITS = {"max_record_mb", "max_document_mb", "max_expansion", "max_columns"}
_DECIDES_NOTHING = {"paths", "description", "preset", "lines_of_receipt"}
"""Of a source's declaration, what leaves its records as they are (a preset is filled in by now)."""


def contracts_of(run: Run) -> dict[str, str]:
    """For every source a hash of all that decides what a record of it becomes.

    Another key for pseudonyms is another contract: under two keys one person would be two. What
    enters is the pseudonym of nothing, which tells no more of the key than any other pseudonym.
    """
    shared = _shared_by_sources(run)
    if limits := run.config.lake.model_dump(include=_LIMITS, exclude_defaults=True):
        shared = (*shared, limits)
    return {
        name: digest_of(source.model_dump(mode="json", exclude=_DECIDES_NOTHING), *shared)
        for name, source in run.config.sources.items()
    }


def _shared_by_sources(run: Run) -> tuple[Any, ...]:
    """What decides over the records of every source."""
    config, pseudonymiser = run.config, run.pseudonymiser()
    return (
        _LAYOUT,
        config.identity.model_dump(mode="json", include={"null_like", "blocked", "public_domains"}),
        [
            config.identity.namespaces[name].model_dump(include={"personal", "normalise"})
            for name in config.namespaces
        ],
        config.privacy.model_dump(include={"purpose", "redact", "patterns"}),
        config.min_event_time,
        config.attributes,
        config.namespaces,
        pseudonymiser.digest("", "") if pseudonymiser else "",
    )


def _fingerprint(run: Run) -> str:
    listing = [(f.source, f.path, f.bytes, f.modified_at) for f in list_files(run.config)]
    return digest_of("ingest", 3, listing, contracts_of(run), run.config.as_of)


def _mappings(config: Config) -> dict[str, Mapping]:
    """Every source, compiled here, so that mistakes in expressions are told before workers start."""
    mappings, problems = {}, []
    for name in config.sources:
        try:
            mappings[name] = compile_mapping(name, config)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError("configuration", problems)
    return mappings


class IngestPlan:
    """What is new: files to look into, and what of the base stays as it is."""

    def __init__(self, run: Run) -> None:
        contracts = contracts_of(run)
        facts = run.base.stages["ingest"].facts if "ingest" in run.base.stages else {}
        known = facts.get("contracts", {})
        self.kept = {name for name in contracts if known.get(name) == contracts[name]}
        ledger = read_ledger(run)
        self.withdrawn: Withdrawn | None = None
        """Files of a source that is kept, which are to be read again nonetheless."""
        if run.reprocess is not None:
            self._withdraw(run, run.reprocess, facts, ledger)
        self.base = _only_sources(run.base, self.kept)
        self.ledger = [row for row in ledger if row["source"] in self.kept and not self._gone(row)]
        seen = {(r["source"], r["path"], r["bytes"], r["modified_at"]) for r in self.ledger}
        listed = list_files(run.config)
        self.files = [f for f in listed if (f.source, f.path, f.bytes, f.modified_at) not in seen]
        sizes = Counter([(f.source, f.bytes) for f in self.files])
        sizes.update({(row["source"], row["bytes"]) for row in self.ledger})
        self.may_repeat = any(sizes[f.source, f.bytes] > 1 for f in self.files)
        """Whether a file may have the content of another: only one of the same size can."""
        gone = {
            row["path"]
            for row in ledger
            if row["source"] in contracts and (row["source"] not in self.kept or self._gone(row))
        } - {file.path for file in listed}
        if gone:
            raise InputError(
                "a source's declaration changed, or reading anew was asked for, so its files must be read again, "
                f"but some are gone: {', '.join(sorted(gone)[:3])}; bring them back, or undo the change"
            )

    def _withdraw(
        self, run: Run, order: Reprocess, facts: dict[str, Any], ledger: list[dict[str, Any]]
    ) -> None:
        """Take just those files of a source out that an order concerns, if the rest can stay as it is."""
        same = facts.get("shared") == digest_of(*_shared_by_sources(run))
        # What a record said of consent is not told apart by file.
        consent = run.config.sources[order.source].consent
        speaks = (consent is not None and bool(consent.withdrawn)) or any(
            file.partition["source"] == order.source for file in run.base.tables.get("consents", [])
        )
        if not same or speaks or order.source not in facts.get("contracts", {}):
            self.kept.discard(order.source)
            return
        self.kept.add(order.source)
        self.withdrawn = withdrawn_files(run, order.source, order.since, ledger)

    def _gone(self, row: dict[str, Any]) -> bool:
        return self.withdrawn is not None and self.withdrawn.holds(row["source"], row["file_id"])


def _only_sources(base: Manifest, kept: set[str]) -> Manifest:
    tables = {
        name: [f for f in files if f.partition.get("source") in kept]
        for name, files in base.tables.items()
        if name in ("events", "dead_letters", "quarantine", "consents")
    }
    return Manifest(tables=tables)


def read_ledger(run: Run) -> list[dict[str, Any]]:
    """The published ledger."""
    paths = run.lake.paths(run.base, "ingest_ledger")
    # A ledger that is older than a count has none of it.
    return [{"erased": 0} | row for path in paths for row in pq.read_table(path).to_pylist()]


def _unread(
    element: tuple[tuple[str, str], Iterable[PlannedFile]], known: frozenset[tuple[str, str]]
) -> Iterator[Any]:
    """Of files with the same content the first by name is read; the others only enter the ledger."""
    content, same = element
    ordered = sorted(same, key=lambda planned: planned.file.path)
    for number, planned in enumerate(ordered):
        again = number > 0 or content in known
        file = planned.file
        value = {
            "source": file.source,
            "path": file.path,
            "file_id": planned.file_id,
            "bytes": file.bytes,
            "modified_at": file.modified_at.isoformat(),
            "again": again,
        }
        yield beam.pvalue.TaggedOutput("results", ("file", value))
        if not again:
            count("files_read", 1)
            count("bytes_read", file.bytes)
            yield from planned.slices


def _counted(counts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Where the records of a batch went: for the ledger, and as Beam's counters."""
    for name in ("accepted", *_COUNTS):
        count(name, counts[name])
    return "counts", counts


def _by_content(planned: PlannedFile) -> tuple[tuple[str, str], PlannedFile]:
    return (planned.file.source, planned.file_id), planned


def _alone(
    element: tuple[tuple[str, str], PlannedFile],
) -> tuple[tuple[str, str], list[PlannedFile]]:
    content, planned = element
    return content, [planned]


class _PlanFile:
    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, file: SourceFile) -> Iterator[PlannedFile]:
        yield plan_file(file, self._config)


def _execute(run: Run) -> dict[str, Any]:
    config, root = run.config, str(run.lake.root)
    mappings = _mappings(config)
    plan = IngestPlan(run)
    pseudonymiser = run.pseudonymiser()
    key_buckets = buckets_of_keys(run)
    folder = scratch_folder(run, "ingest")
    index_folder = f"tables/event_keys/{digest_of(run.run_id)}"
    index = _by_bucket(run.base, "event_keys")
    withdrawn = plan.withdrawn or Withdrawn("", (), ())
    stale = sorted(index) if _sources_of(run.base) - plan.kept or withdrawn.file_ids else []
    published: dict[tuple[str, int], tuple[DataFile, ...]] = defaultdict(tuple)
    for file in plan.base.tables.get("events", []):
        day = file.meta["min_event_us"] // 86_400_000_000
        published[str(file.partition["source"]), day] += (file,)
    known = frozenset((row["source"], row["file_id"]) for row in plan.ledger)
    orders = read_quarantine_orders(run.lake)
    for table in ("dead_letters", "quarantine"):
        plan.base.tables[table], _ = without_records(
            run, plan.base.tables.get(table, []), withdrawn.rows
        )
    released = let_go(run, plan.base.tables["quarantine"])
    freed_days, freed_keys = _spilled(released, folder, key_buckets)
    result = folder / "result.json"
    with run.pipeline() as pipeline:
        planned = (
            pipeline
            | "Files" >> run.spread(plan.files)
            | "PlanFiles" >> Kernel(_PlanFile(config), run.kernel_threads)
            | "ByContent" >> beam.Map(_by_content)
        )
        # Without a barrier files are mapped while others are still being planned.
        gather = beam.GroupByKey() if plan.may_repeat else beam.Map(_alone)
        unread = (
            planned
            | "SameContent" >> gather
            | "Unread" >> beam.FlatMap(_unread, known).with_outputs("results", main="slices")
        )
        mapped = (
            unread.slices if run.is_alone else unread.slices | "SpreadSlices" >> beam.Reshuffle()
        ) | "MapSlices" >> MapSlices(
            config,
            mappings,
            pseudonymiser=pseudonymiser,
            tombstones=run.tombstones(),
            now=run.now,
            folder=str(folder),
            key_buckets=key_buckets,
            released={name: said.released for name, said in orders.items()},
            threads=run.kernel_threads,
        )
        recheck = pipeline | "StaleBuckets" >> run.spread([(bucket, None) for bucket in stale])
        rewritten = [((withdrawn.source, day), Removal(())) for day in withdrawn.days]
        freed = pipeline | "FreedDays" >> run.spread([*freed_days, *rewritten])
        freed_too = pipeline | "FreedKeys" >> run.spread(freed_keys)
        decided = (
            (mapped.keys, recheck, freed_too)
            | "Keys" >> beam.Flatten()
            | Deduplicate(
                root,
                index_folder,
                index,
                tuple(sorted(plan.kept)),
                withdrawn.copies,
                run.kernel_threads,
            )
        )
        written = (
            (mapped.main, decided.removals, freed)
            | "Days" >> beam.Flatten()
            | WriteEvents(
                root,
                config.namespaces,
                config.attributes,
                dict(published),
                {withdrawn.source: tuple(sorted(withdrawn.file_ids))},
                decided.main,
                run.kernel_threads,
            )
        )
        counts = mapped.counts | "Counts" >> beam.Map(_counted)
        dead = mapped.dead | "Dead" >> beam.Map(lambda part: ("dead", vars(part)))
        held = mapped.held | "Held" >> beam.Map(lambda part: ("held", vars(part)))
        said = mapped.consents | "Consents" >> beam.Map(lambda part: ("consents", vars(part)))
        collect((unread.results, decided.results, written, counts, dead, held, said), result)
    results = read_results(result)
    drift = find_drift(run, plan.kept - {withdrawn.source}, results.get("counts", []))
    replaced = set(results.get("replaced", []))
    kept = [f for f in plan.base.tables.get("events", []) if f.path not in replaced]
    tables = run.draft.tables
    tables["events"] = kept + data_files(results.get("events", []))
    touched = data_files(results.get("event_keys", []))
    fresh = {file.partition["bucket"] for file in touched}
    untouched = [
        f for f in run.base.tables.get("event_keys", []) if f.partition["bucket"] not in fresh
    ]
    tables["event_keys"] = untouched + touched
    for table, kind in (("dead_letters", "dead"), ("consents", "consents")):
        tables[table] = plan.base.tables.get(table, []) + _append(run, table, results.get(kind, []))
    held = (rows for _, rows in read_parts(Part(**part) for part in results.get("held", [])))
    tables["quarantine"] = released.files + held_files(run, held)
    elsewhere = [v for file in untouched for v in winners(pq.read_table(run.lake.path(file)))]
    for warning in suspicions(config, results.get("counts", [])):
        _LOG.warning(warning)
    results["counts"] = [*results.get("counts", []), *released.counts]
    ledger = _ledger(plan.ledger, results, [*results.get("winners", []), *elsewhere])
    tables["ingest_ledger"] = [write_ledger(run, ledger)]
    return {
        "contracts": contracts_of(run),
        "shared": digest_of(*_shared_by_sources(run)),
        "key_buckets": key_buckets,
        **drift,
        "rows": sum(file.rows for file in tables["events"]),
    }


def _spilled(
    released: Released, folder: Path, key_buckets: int
) -> tuple[list[tuple[tuple[str, int], Part]], list[tuple[int, KeyPart]]]:
    """Released records as if they had just been mapped: events by day, keys by bucket."""
    days, keys = [], []
    for number, (source, file_id, events) in enumerate(released.events):
        name = f"{file_id}-released-{number:06d}"
        for output in spill_events(events, source, file_id, name, str(folder), key_buckets):
            if isinstance(output, beam.pvalue.TaggedOutput):
                keys.append(output.value)
            else:
                days.append(output)
    return days, keys


def buckets_of_keys(run: Run) -> int:
    """Buckets of the index of copies: kept while the index lives, first chosen by the size of the input."""
    if "ingest" in run.base.stages:
        return int(run.base.stages["ingest"].facts["key_buckets"])
    size = sum(file.bytes for file in list_files(run.config))
    return power_of_two(max(run.kernel_threads, -(-size // _BYTES_A_KEY_BUCKET)))


def _sources_of(base: Manifest) -> set[str]:
    return {str(file.partition["source"]) for file in base.tables.get("events", [])}


def _by_bucket(base: Manifest, table: str) -> dict[int, str]:
    return {int(file.partition["bucket"]): file.path for file in base.tables.get(table, [])}


def _append(run: Run, table: str, parts: list[dict[str, Any]]) -> list[DataFile]:
    """Write spilled rows of a small table, one file a source."""
    by_source: dict[str, list[pa.Table]] = defaultdict(list)
    for _, rows in read_parts(Part(**part) for part in parts):
        by_source[rows["source"][0].as_py()].append(rows)
    files = []
    schema = (
        consent_schema(run.config.person_namespaces)
        if table == "consents"
        else table_schema(table, run.config.namespaces, run.config.attributes)
    )
    for source, tables in sorted(by_source.items()):
        rows = pa.concat_tables([t.select(schema.names).cast(schema) for t in tables])
        path = f"tables/{table}/source={source}/{run.run_id}.parquet"
        target = run.lake.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, target, compression="zstd")
        files.append(DataFile(path, len(rows), {"source": source}))
    return files


def _ledger(
    known: list[dict[str, Any]], results: dict[str, list[Any]], holders: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row a file; who holds an event may change when another copy of it arrives."""
    counted: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in known:
        if not row["again"]:
            entry = counted[row["source"], row["file_id"]]
            entry["accepted"] = row["events"] + row["duplicates"]
            for name in _COUNTS:
                entry[name] = row[name]
    for value in results.get("counts", []):
        entry = counted[value["source"], value["file_id"]]
        for name in ("accepted", *_COUNTS):
            entry[name] += value[name]
    for value in holders:
        counted[value["source"], value["file_id"]]["events"] += value["events"]
    ledger = []
    for row in [*known, *results.get("file", [])]:
        entry = counted[row["source"], row["file_id"]]
        read = entry["records_read"]
        numbers = {name: entry[name] for name in ("events", *_COUNTS)}
        numbers["duplicates"] = entry["accepted"] - entry["events"]
        if row["again"]:
            numbers = dict.fromkeys(numbers, 0) | {"records_read": read, "duplicates": read}
        ledger.append({**row, **numbers})
    return ledger


def write_ledger(run: Run, ledger: list[dict[str, Any]]) -> DataFile:
    """Write a ledger, by source and path."""
    schema = table_schema("ingest_ledger")
    order = sorted(ledger, key=lambda row: (row["source"], row["path"], row["file_id"]))
    columns = {name: [row[name] for row in order] for name in schema.names}
    columns["modified_at"] = [str(value) for value in columns["modified_at"]]
    table = pa.table(columns).cast(schema)
    path = f"tables/ingest_ledger/{run.run_id}.parquet"
    (run.lake.root / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, run.lake.root / path, compression="zstd")
    return DataFile(path, len(table))


def _due(run: Run) -> bool:
    return run.reprocess is not None or due(run)


STAGE = Stage("ingest", (), _fingerprint, _execute, _due)

if __name__ == "__main__":
    main(STAGE)
