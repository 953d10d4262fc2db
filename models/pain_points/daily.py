"""Step counts read into arrays: a row for each slice, node and target, a column for each day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.counts import codes
from models.step_counts import UNIT

__all__ = ["Daily", "Key", "StepCounts", "day_of"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_OPEN_SHARE = 0.02
_TEXTS = ("level", "segment", "segment_value", "source_node", "target_node")

Key = tuple[str, str, str, str]
"""segment, segment_value, node, target; the target is empty where there is none."""


def day_of(number: int) -> date:
    """A day by its number since 1970.

    >>> day_of(19_783)
    datetime.date(2024, 3, 1)
    """
    return date(1970, 1, 1) + timedelta(days=number)


@dataclass(frozen=True)
class Daily:
    """One measure by day: `values` has a row for each key and a column for each day."""

    keys: list[Key]
    values: Floats

    @cached_property
    def row(self) -> dict[Key, int]:
        """Row of each key."""
        return {key: i for i, key in enumerate(self.keys)}

    def of(self, keys: list[Key]) -> Floats:
        """Rows of some keys, zeros where there is none; shape (n_keys, n_days)."""
        padded = np.vstack((self.values, np.zeros((1, self.values.shape[1]))))
        return padded[[self.row.get(key, -1) for key in keys]]


class StepCounts:
    """Merged counts of `models.step_counts`.

    Attributes
    ----------
    first, last : int
        First and last day that is told from the others, in days since 1970.
    earlier : bool
        Whether there are journeys of before `first`; column 0 of the days holds them.
    """

    def __init__(self, counts: pa.Table, since: int) -> None:
        # Sums are taken where they are asked for; there may be tens of millions of rows.
        coded = {name: codes(counts[name]) for name in (*_TEXTS, "measure")}
        self._texts = {name: (coded[name][0].astype(np.int32), coded[name][1]) for name in _TEXTS}
        self._measure, measures = coded["measure"]
        self._measures = {name: i for i, name in enumerate(measures.to_pylist())}
        self._bin = counts["bin"].to_numpy().astype(np.int64)
        self._count = counts["count"].to_numpy()
        days = self._bin[self._rows("day", "reached")]
        self.earlier = bool((days < since).any())
        days = days[days >= since]
        self.first = int(days.min(initial=since + 10**9)) if len(days) else since
        self.last = int(days.max(initial=self.first))
        self._read: dict[tuple[str, str], Daily] = {}

    @property
    def segments(self) -> list[str]:
        """What journeys are sliced by, ``all`` among it."""
        segments: list[str] = self._texts["segment"][1].to_pylist()
        return segments

    @property
    def days(self) -> int:
        """Number of days from `first` to `last`."""
        return self.last - self.first + 1

    def undecided_days(self) -> int:
        """Days before the last on which too many journeys are open to say how journeys end.

        Who converts is known to have converted at once, who doesn't is known much later: days with
        open journeys look better than they are. Days count up to the last week in which at most one
        visit in fifty is of an open journey.
        """
        open_, ended = (
            table.values[[key[0] == "all" for key in table.keys]].sum(axis=0)[1:]
            for table in (self.daily("undecided"), self.daily("decided"))
        )
        week = np.ones(7)
        open_, ended = (np.convolve(a, week)[: self.days] for a in (open_, ended))
        settled = np.flatnonzero((open_ <= _OPEN_SHARE * (open_ + ended)) & (ended > 0))
        return self.days - 1 - int(settled[-1]) if len(settled) else self.days

    def daily(self, measure: str) -> Daily:
        """A measure by day; column 0 is what was before `first`, column i the day first + i - 1."""
        return self._grid("day", measure, np.clip, self.days + 1)

    def binned(self, level: str, measure: str, bins: int) -> Daily:
        """A measure by hour, position or as a whole."""
        return self._grid(level, measure, None, bins)

    def _grid(self, level: str, measure: str, clip: object, bins: int) -> Daily:
        if (level, measure) in self._read:
            return self._read[level, measure]
        at = np.flatnonzero(self._rows(level, measure))
        column = self._bin[at]
        if clip is not None:
            column = np.maximum(column - self.first + 1, 0)
        names = ("segment", "segment_value", "source_node", "target_node")
        parts = [self._texts[name][0][at] for name in names]
        shape = [max(len(self._texts[name][1]), 1) for name in names]
        key = np.ravel_multi_index(parts, shape) if len(at) else at
        distinct, row = np.unique(key, return_inverse=True)
        values = np.zeros((len(distinct), bins))
        np.add.at(values, (row, column), self._count[at])
        if measure.endswith(("_sum", "_squares")):
            values /= UNIT
        places = np.unravel_index(distinct, shape) if len(at) else [at] * 4
        texts = [
            self._texts[name][1].take(pa.array(place)).to_pylist()
            for name, place in zip(names, places, strict=True)
        ]
        found = Daily(list(zip(*texts, strict=True)), values)
        self._read[level, measure] = found
        return found

    def _rows(self, level: str, measure: str) -> NDArray[np.bool_]:
        of_row, levels = self._texts["level"]
        wanted = levels.to_pylist().index(level) if level in levels.to_pylist() else -1
        return (of_row == wanted) & (self._measure == self._measures.get(measure, -1))
