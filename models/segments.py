"""What journeys are sliced by: attributes, entry channel, persona, and the period they began in.

A period is written so that texts sort like time: ``2025``, ``2025-Q3``, ``2025-07``, and ISO weeks
``2025-W27`` (which begin on Monday and belong to the year of their Thursday), all in UTC. An
attribute that has the name of a period is the attribute.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import PERIODS, PERSONA

__all__ = ["add_segments", "findable", "period_names", "segment_inputs"]

_DAY_US = 86_400_000_000
_EPOCH = date(1970, 1, 1)


def segment_inputs(segments: Sequence[str], attributes: Sequence[str]) -> list[str]:
    """Columns of `journeys` that the segments are made from.

    >>> segment_inputs(["device", "month", "persona"], ["device"])
    ['device', 'started_at', 'journey_id']
    """
    derived = dict.fromkeys(PERIODS, "started_at") | {PERSONA: "journey_id"}
    columns = [name if name in attributes else derived.get(name, name) for name in segments]
    return list(dict.fromkeys(columns))


def findable(segments: Sequence[str], attributes: Sequence[str]) -> list[str]:
    """Segments in which findings are sought: neither periods, for days are counted and an incident says itself
    when it was; nor personas, for they were found in these very paths.

    >>> findable(["device", "month", "persona"], ["device"])
    ['device']
    """
    return [name for name in segments if name in attributes or name not in (*PERIODS, PERSONA)]


def add_segments(
    journeys: pa.Table, segments: Sequence[str], personas: pa.Table | None = None
) -> pa.Table:
    """Journeys with a column for each segment.

    Parameters
    ----------
    journeys : pa.Table
        journey_id and the columns of `segment_inputs`; those that segments are not made from are
        themselves segments.
    segments : sequence of str
    personas : pa.Table, optional
        journey_id and persona_id; who is not in it has none.
    """
    missing = [name for name in segments if name not in journeys.column_names]
    for name in missing:
        if name == PERSONA and personas is not None:
            place = pc.index_in(
                journeys["journey_id"].cast(pa.string()),
                value_set=personas["journey_id"].cast(pa.string()).combine_chunks(),
            )
            journeys = journeys.append_column(name, personas["persona_id"].take(place))
        elif name in PERIODS:
            journeys = journeys.append_column(name, period_names(journeys["started_at"], name))
    return journeys


def period_names(times: pa.ChunkedArray | pa.Array, period: str) -> pa.DictionaryArray:
    """Name of the period that each time is in.

    >>> times = pa.array([1735516800_000000, 1751328000_000000], pa.timestamp("us", "UTC"))
    >>> [period_names(times, p).to_pylist() for p in ("week", "month", "quarter")]
    [['2025-W01', '2025-W27'], ['2024-12', '2025-07'], ['2024-Q4', '2025-Q3']]
    """
    days, code = np.unique(
        pc.cast(times, pa.int64()).to_numpy(zero_copy_only=False) // _DAY_US, return_inverse=True
    )
    named = pa.array([_named(_EPOCH + timedelta(int(day)), period) for day in days], pa.string())
    distinct = named.dictionary_encode()
    codes = distinct.indices.to_numpy().astype(np.int32)[code]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), distinct.dictionary)


def _named(day: date, period: str) -> str:
    year, week, _ = day.isocalendar()
    return {
        "week": f"{year}-W{week:02d}",
        "month": f"{day:%Y-%m}",
        "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "year": str(day.year),
    }[period]
