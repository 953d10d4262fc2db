"""What the four vendor formats have in common: a feed, and the text of its records.

A `Feed` is a table with one row an event and a SQL expression that turns a row into the JSON text
of a record. DuckDB evaluates the expression over slices of rows; absent fields are NULL fragments,
which ``concat`` leaves out. Besides its own columns, an expression may use those of the record:

=============  ===========================================================================
event_id       text; of records that are no events, an id of their own
event_time     when it happened; `time_field` writes it, or spoils it where planned
received       when the vendor had it
kind           what the record is, see `lines.Kind`
=============  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from footpath.generator.lines import Kind, Records
from footpath.generator.population import Population
from footpath.generator.scenario import Scenario
from footpath.generator.spellings import Namespace
from footpath.generator.walk import Steps

__all__ = ["Chunk", "Feed", "connect", "lookup", "texts"]

_SLICE = 65_536
_JUNK_BYTES = 64
_EVENTS_PER_PERSON = 1 << 14


@dataclass(frozen=True)
class Chunk:
    """The persons of one chunk, with all that is needed to write about them."""

    index: int
    scenario: Scenario
    population: Population
    namespaces: dict[str, Namespace]
    rng: np.random.Generator

    def numbers(self, steps: Steps) -> NDArray[np.int64]:
        """Give each event a number that no other event of the world has."""
        person_id = self.population.first_id + steps.person.astype(np.int64)
        return 1_000_000_000 + person_id * _EVENTS_PER_PERSON + steps.number

    def spare_numbers(self, count: int) -> pa.Array:
        """Give numbers, as text, that no event has."""
        first = 9_000_000_000_000 + self.index * 1_000_000
        return pa.array(np.arange(first, first + count)).cast(pa.string())

    def spell(
        self, name: str, person: NDArray[np.int32], chance: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Choose how each person's identifier is written: code of a form of the namespace.

        Phone numbers come in all their forms alike, of the rest a `spelling_share` is unclean.
        """
        spellings = self.namespaces[name].spellings
        if name == "phone":
            spelling = chance % spellings
        else:
            unclean = chance < round(self.scenario.spelling_share * 1_000_000)
            spelling = np.where(unclean, 1 + chance % (spellings - 1), 0)
        return spelling * len(self.population) + person


@dataclass(frozen=True)
class Feed:
    """The events of one source in one chunk, ready to be written.

    Attributes
    ----------
    source
        Name of the source.
    steps
        The events.
    event_id
        Identifier of each event, as text.
    table
        The other columns that `sql` reads; one row an event.
    sql
        Expression over the columns of `table` and the common fields: the record as JSON text.
    nothing_in
        Names of identifier fields, and the rows in which each holds a null-like.
    extra_ids
        Makes the given number of ids for records that are no events.
    batched
        Whether a line holds a JSON array of records.
    """

    source: str
    steps: Steps
    event_id: pa.Array
    table: pa.Table
    sql: str
    nothing_in: dict[str, NDArray[np.bool_]]
    extra_ids: Callable[[int], pa.Array]
    batched: bool = False


def lookup(
    codes: NDArray[np.integer],
    values: Sequence[str | None],
    missing: NDArray[np.bool_] | None = None,
) -> pa.DictionaryArray:
    """Column of texts by code, null where `missing`."""
    indices = pa.array(codes.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values, pa.string()))


def connect() -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the macros that the feeds' expressions use."""
    connection = duckdb.connect()
    connection.execute(f"""
        SET enable_progress_bar = false;
        CREATE MACRO iso(moment) AS strftime(moment, '%Y-%m-%dT%H:%M:%S.%gZ');
        CREATE MACRO iso_seconds(moment) AS strftime(moment, '%Y-%m-%dT%H:%M:%SZ');
        CREATE MACRO money(cents) AS
            (cents // 100)::VARCHAR || '.' || lpad((cents % 100)::VARCHAR, 2, '0');
        CREATE MACRO time_field(kind, name, moment) AS CASE
            WHEN kind = {Kind.MISSING_TIME:d} THEN ''
            WHEN kind = {Kind.TEXT_TIME:d} THEN ',"' || name || '":"yesterday"'
            ELSE ',"' || name || '":' || moment
        END;
    """)
    return connection


def texts(
    connection: duckdb.DuckDBPyConnection, feed: Feed, records: Records, ids: pa.Array
) -> Iterator[tuple[int, memoryview]]:
    """Write the records as text.

    Parameters
    ----------
    connection
        From `connect`.
    feed, records
        The events, and what to write of them.
    ids
        The id that each record carries.

    Yields
    ------
    file, text
        Number of a file and the bytes to append to it, brackets, commas and newlines included.
    """
    closing = np.where(records.closes, 1, 0)
    opening = np.zeros(len(records), np.int64)
    junk = records.kind == Kind.BINARY
    if feed.batched:
        opening = np.where((records.position == 0) & ~junk, 1, 0)
        closing = np.where(records.closes & ~junk & (records.kind != Kind.TRUNCATED), 2, closing)
    for begin in range(0, len(records), _SLICE):
        part = slice(begin, min(begin + _SLICE, len(records)))
        lines = feed.table.take(pa.array(records.row[part]))
        lines = (
            lines.append_column("event_id", ids[part])
            .append_column("event_time", _moments(records.event_time[part]))
            .append_column("received", _moments(records.received[part]))
            .append_column("kind", pa.array(records.kind[part]))
            .append_column("opening", lookup(opening[part], ["", "["]))
            .append_column("closing", lookup(closing[part], [",", "\n", "]\n"]))
        )
        connection.register("lines", pa.Table.from_batches(lines.to_batches(_SLICE // 8)))
        written = connection.sql(f"""
            WITH records AS (SELECT opening, closing, kind, {feed.sql} AS record FROM lines)
            SELECT concat(
                opening,
                CASE kind
                    WHEN {Kind.EMPTY_OBJECT:d} THEN '{{}}'
                    WHEN {Kind.TRUNCATED:d} THEN left(record, 20 + length(record) // 2)
                    WHEN {Kind.BINARY:d} THEN left(record, {_JUNK_BYTES})
                    ELSE record
                END,
                closing
            ) AS line
            FROM records
        """).to_arrow_table()
        connection.unregister("lines")
        row = begin
        for column in written.column("line").chunks:
            rows = slice(row, row + len(column))
            yield from _pieces(column, records.file[rows], junk[rows])
            row += len(column)


def _pieces(
    column: pa.StringArray, file: NDArray[np.int64], junk: NDArray[np.bool_]
) -> Iterator[tuple[int, memoryview]]:
    """Cut a column of lines where the file changes, and make junk of the lines that shall be.

    Junk is the line's own text with the highest bit of every byte set: never valid UTF-8, and
    without a newline but its last.
    """
    _, offsets_buffer, data = column.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset :]
    changes = np.diff(file, prepend=-1) != 0
    changes |= junk
    changes[1:] |= junk[:-1]
    cuts = [*np.flatnonzero(changes).tolist(), len(column)]
    view = memoryview(data)
    for begin, end in pairwise(cuts):
        text = view[offsets[begin] : offsets[end]]
        if junk[begin]:
            text = memoryview(bytes(byte | 0x80 for byte in text[:-1]) + b"\n")
        yield int(file[begin]), text


def _moments(milliseconds: NDArray[np.int64]) -> pa.Array:
    return pa.array(milliseconds * 1_000, pa.timestamp("us"))
