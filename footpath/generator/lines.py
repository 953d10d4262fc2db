"""From events to the lines of files: what is repeated, spoiled or late, and where each line goes.

A source's events become *records*. Every event is one record; to these come repetitions of events
and records that are no events at all: dated years ahead, or unreadable in one of five ways. Each
record is received at some time, which decides its file, and its place there but for some seconds
of disorder. A line holds one record, or, in a feed of webhooks, a batch of 1 to 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from footpath.generator.pauses import DAY, SECOND
from footpath.generator.scenario import Scenario
from footpath.generator.walk import epoch_ms

__all__ = ["Kind", "Records", "file_starts", "plan_records"]


class Kind(IntEnum):
    """What a record is. From `MISSING_TIME` on, it cannot be read."""

    EVENT = 0
    DUPLICATE = 1
    FUTURE = 2
    MISSING_TIME = 3
    TEXT_TIME = 4
    EMPTY_OBJECT = 5
    TRUNCATED = 6
    BINARY = 7


_MALFORMED = [kind for kind in Kind if kind >= Kind.MISSING_TIME]
_BATCH_LIMIT = 100


@dataclass(frozen=True)
class Records:
    """The records of one source in one chunk, in the order in which they are written.

    Attributes
    ----------
    row
        Row of the feed that the record shows.
    kind
        A `Kind`.
    event_time, received
        Milliseconds since 1970-01-01 UTC.
    late
        Whether this is an event that comes in a later file than its time suggests.
    extra
        Number of the record among those that are no events, -1 for events and their duplicates.
    file, line
        Number of the file, and of the line in it, from 0.
    position
        Place in the line's batch, from 0.
    closes
        Whether the record ends its line.
    """

    row: NDArray[np.int64]
    kind: NDArray[np.int8]
    event_time: NDArray[np.int64]
    received: NDArray[np.int64]
    late: NDArray[np.bool_]
    extra: NDArray[np.int64]
    file: NDArray[np.int64]
    line: NDArray[np.int64]
    position: NDArray[np.int64]
    closes: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.row)


def file_starts(scenario: Scenario) -> NDArray[np.int64]:
    """Begin of each file's receipts, in milliseconds.

    The last file is for what is received after the period.
    """
    first, end = epoch_ms(scenario.start), epoch_ms(scenario.end)
    return np.append(np.arange(first, end, scenario.file_days * DAY), end)


def plan_records(
    scenario: Scenario,
    rng: np.random.Generator,
    event_time: NDArray[np.int64],
    *,
    batched: bool,
) -> Records:
    """Decide which records a source writes for its events, where and when.

    Parameters
    ----------
    scenario
        Shares of duplicates, malformed, future and late records.
    rng
        Source of chance of this source and chunk.
    event_time
        When the feed's events happened.
    batched
        Whether a line holds a batch of records (webhooks) or one.
    """
    size = len(event_time)
    starts = file_starts(scenario)
    late = rng.random(size) < scenario.late_share
    received = event_time + 40 + rng.integers(0, 3 * SECOND, size)
    next_file = starts[np.searchsorted(starts, event_time[late], side="right")]
    received[late] = np.maximum(
        event_time[late] + rng.integers(DAY, 20 * DAY, len(next_file)),
        next_file + rng.integers(0, 2 * DAY, len(next_file)),
    )

    again = np.flatnonzero(rng.random(size) < scenario.duplicate_share)
    ahead = np.flatnonzero(rng.random(size) < scenario.future_share)
    spoiled = np.flatnonzero(rng.random(size) < scenario.malformed_share)
    row = np.concatenate([np.arange(size), again, ahead, spoiled])
    kind = np.repeat(
        np.array([Kind.EVENT, Kind.DUPLICATE, Kind.FUTURE, Kind.MISSING_TIME], np.int8),
        [size, len(again), len(ahead), len(spoiled)],
    )
    unreadable = kind == Kind.MISSING_TIME
    kind[unreadable] = rng.choice(_MALFORMED, len(spoiled))
    received = received[row]
    repeated = kind == Kind.DUPLICATE
    received[repeated] += SECOND << rng.integers(0, 19, len(again))
    event_time = event_time[row]
    event_time[kind == Kind.FUTURE] += rng.integers(400, 2_000, len(ahead)) * DAY
    late = late[row] & (kind == Kind.EVENT)
    extra = np.where(kind < Kind.FUTURE, -1, np.arange(len(row)) - size - len(again))

    file = np.searchsorted(starts, received, side="right") - 1
    disorder = rng.integers(0, 20 * SECOND, len(row))
    order = np.lexsort((received + disorder, file))
    kind, file = kind[order], file[order]

    opens = np.ones(len(row), bool)
    if batched:
        opens = np.diff(file, prepend=-1) != 0
        draw = rng.integers(0, 1_000, len(row))
        sizes = 1 + draw * draw * draw * _BATCH_LIMIT // 1_000_000_000
        cuts = np.cumsum(sizes)
        opens[cuts[cuts < len(row)]] = True
        alone = np.isin(kind, (Kind.TRUNCATED, Kind.BINARY))
        opens |= alone
        opens[1:] |= alone[:-1]
    line = np.cumsum(opens) - 1
    place = np.arange(len(row))
    position = place - np.maximum.accumulate(np.where(opens, place, 0))
    first_line = line[np.searchsorted(file, file)] if len(row) else line
    return Records(
        row=row[order],
        kind=kind,
        event_time=event_time[order],
        received=received[order],
        late=late[order],
        extra=extra[order],
        file=file,
        line=line - first_line,
        position=position,
        closes=np.append(opens[1:], True)[: len(row)],
    )
