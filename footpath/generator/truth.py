"""The planted truth, written beside the data as Parquet tables.

============  ================================================================================
table         grain (one row per)
============  ================================================================================
persons       person, whether or not anything of theirs can be recognised
identifiers   written form of an identifier and its owner: a household's tablet has a row for
              each owner, a kiosk one row with none; value is the normalised form
events        distinct event: who, which session and journey, which touchpoint
defects       flaw of a record: malformed, duplicate, future, late, null_identifier
pain_points   planted pain point, with the number of events at which it struck
touchpoints   touchpoint: its source, its stage, and whether it opens or converts a journey
============  ================================================================================

Malformed and future records are no events: they stand in ``defects``, not in ``events``. A
duplicate bears the ``event_id`` of its original, and is always received later.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from footpath.generator.feeds import Chunk, Feed, lookup
from footpath.generator.lines import Kind, Records
from footpath.generator.personas import PERSONAS
from footpath.generator.scenario import DEVICE_TYPES, Scenario
from footpath.generator.touchpoints import CONVERSIONS, LOGIN, PRE_PURCHASE, TOUCHPOINTS

__all__ = [
    "TruthWriter",
    "defects_table",
    "events_table",
    "identifiers_table",
    "pain_points_table",
    "persons_table",
    "touchpoints_table",
]

_UNIQUE = ("event_id", "event_time", "raw", "value", "person_id", "email", "phone", "user_id")
"""Columns whose values hardly repeat: a dictionary would only cost time."""

_MOMENT = pa.timestamp("us", tz="UTC")


class TruthWriter:
    """Writes the truth tables, chunk by chunk; a context manager.

    Parameters
    ----------
    folder
        Where the Parquet files go, one a table.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, pq.ParquetWriter] = {}

    def write(self, name: str, table: pa.Table) -> None:
        """Append rows to a table."""
        if name not in self._writers:
            repetitive = [column for column in table.column_names if column not in _UNIQUE]
            self._writers[name] = pq.ParquetWriter(
                self.folder / f"{name}.parquet",
                table.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=repetitive,
            )
        self._writers[name].write_table(table)

    def __enter__(self) -> Self:
        """Open nothing yet: each file is begun with its first rows."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all files."""
        for writer in self._writers.values():
            writer.close()


def persons_table(chunk: Chunk) -> pa.Table:
    """List the persons of a chunk."""
    people = chunk.population
    return pa.table(
        {
            "person_id": people.person_id,
            "persona": _text(lookup(people.persona, [persona.name for persona in PERSONAS])),
            "user_id": people.user_id,
            "email": people.email,
            "phone": people.phone,
            "n_devices": people.n_devices,
            "household_id": pa.array(people.household, mask=people.household < 0),
            "consent": people.consent,
        }
    )


def identifiers_table(chunk: Chunk, kiosks: set[str]) -> pa.Table:
    """List the identifiers that were written in a chunk.

    Parameters
    ----------
    chunk
        After all its feeds were made.
    kiosks
        Kiosks that were listed before; grows.
    """
    tables = []
    for namespace in chunk.namespaces.values():
        forms = np.flatnonzero(namespace.seen[: len(namespace.clean)])
        owner = namespace.owner[forms]
        nobody = np.flatnonzero(owner < 0)
        new = []
        for row, value in zip(nobody, namespace.forms.take(pa.array(forms[nobody])), strict=True):
            if value.as_py() not in kiosks:
                kiosks.add(value.as_py())
                new.append(row)
        keep = np.sort(np.concatenate([np.flatnonzero(owner >= 0), np.array(new, np.int64)]))
        forms, owner = forms[keep], owner[keep]
        tables.append(
            pa.table(
                {
                    "namespace": pa.repeat(namespace.name, len(forms)),
                    "raw": namespace.forms.take(pa.array(forms)),
                    "value": namespace.clean.take(pa.array(forms)),
                    "person_id": pa.array(chunk.population.person_id[owner], mask=owner < 0),
                }
            )
        )
    return pa.concat_tables(tables)


def events_table(chunk: Chunk, feed: Feed) -> pa.Table:
    """List the distinct events of a feed, by person and time."""
    steps, people = feed.steps, chunk.population
    names = [touchpoint.name for touchpoint in (*TOUCHPOINTS, LOGIN)]
    pain = [pain_point.name for pain_point in chunk.scenario.pain_points]
    unhurt = steps.pain_point < 0
    return pa.table(
        {
            "source": pa.repeat(feed.source, len(steps)),
            "event_id": feed.event_id,
            "person_id": people.person_id[steps.person],
            "session": steps.session,
            "journey": steps.journey,
            "touchpoint": _text(lookup(steps.touchpoint, names)),
            "event_time": pa.array(steps.time * 1_000, _MOMENT),
            "device_type": _text(
                lookup(
                    people.device_type[steps.person, steps.slot],
                    DEVICE_TYPES,
                    np.full(len(steps), feed.source != "web"),
                )
            ),
            "consent": people.consent[steps.person] | (feed.source != "web"),
            "is_pain_hit": ~unhurt,
            "pain_point": _text(lookup(np.maximum(steps.pain_point, 0), [*pain, None], unhurt)),
        }
    )


def defects_table(feed: Feed, records: Records, ids: pa.Array, files: Sequence[str]) -> pa.Table:
    """List what is wrong with the records of a feed.

    Lines count from 1, positions in a line's batch from 0; the position is null where a line holds
    one record. A record with two flaws has two rows.

    Parameters
    ----------
    feed, records, ids
        What was written.
    files
        Name of each file, by number.
    """
    is_event = records.kind == Kind.EVENT
    found: list[tuple[np.ndarray, str, str | None]] = [
        (np.flatnonzero(records.kind == Kind.DUPLICATE), "duplicate", None),
        (np.flatnonzero(records.kind == Kind.FUTURE), "future", None),
        (np.flatnonzero(records.late), "late", None),
    ]
    found += [
        (np.flatnonzero(records.kind == kind), "malformed", kind.name.lower())
        for kind in Kind
        if kind >= Kind.MISSING_TIME
    ]
    found += [
        (np.flatnonzero(is_event & rows[records.row]), "null_identifier", field)
        for field, rows in feed.nothing_in.items()
    ]
    rows = np.concatenate([rows for rows, _, _ in found])
    sizes = [len(rows) for rows, _, _ in found]
    which = np.repeat(np.arange(len(found)), sizes)
    kind = records.kind[rows]
    whole_line = (kind >= Kind.TRUNCATED) | (not feed.batched)
    table = pa.table(
        {
            "source": pa.repeat(feed.source, len(rows)),
            "file": _text(lookup(records.file[rows], files)),
            "line": records.line[rows] + 1,
            "position": pa.array(records.position[rows], mask=whole_line),
            "event_id": _text(ids.take(pa.array(rows, mask=kind >= Kind.EMPTY_OBJECT))),
            "kind": _text(lookup(which, [kind for _, kind, _ in found])),
            "detail": _text(lookup(which, [detail for _, _, detail in found])),
        }
    )
    return table.take(pa.array(np.argsort(rows, kind="stable")))


def pain_points_table(scenario: Scenario, struck: dict[str, int]) -> pa.Table:
    """List what was planted, and how often each struck."""
    rows = [
        {
            "name": pain.name,
            "touchpoint": pain.touchpoint,
            "description": pain.description,
            "outcome": pain.outcome,
            "points": pain.points,
            "support": pain.support,
            "support_points": pain.support_points,
            "segment": f"device_type={pain.device}" if pain.device else None,
            "start": pain.start or scenario.start,
            "end": pain.end or scenario.end,
            "events": struck[pain.name],
        }
        for pain in scenario.pain_points
    ]
    schema = pa.schema(
        [
            ("name", pa.string()),
            ("touchpoint", pa.string()),
            ("description", pa.string()),
            ("outcome", pa.string()),
            ("points", pa.float64()),
            ("support", pa.string()),
            ("support_points", pa.float64()),
            ("segment", pa.string()),
            ("start", pa.date32()),
            ("end", pa.date32()),
            ("events", pa.int64()),
        ]
    )
    return pa.Table.from_pylist(rows, schema)


def touchpoints_table() -> pa.Table:
    """List the touchpoints of the planted world."""
    return pa.Table.from_pylist(
        [
            {
                "touchpoint": touchpoint.name,
                "source": touchpoint.source,
                "stage": touchpoint.stage,
                "record": touchpoint.record,
                "opens_journey": touchpoint.stage in PRE_PURCHASE and touchpoint is not LOGIN,
                "converts": touchpoint.name in CONVERSIONS,
            }
            for touchpoint in (*TOUCHPOINTS, LOGIN)
        ]
    )


def _text(column: pa.Array) -> pa.Array:
    return column.cast(pa.string())
