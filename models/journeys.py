"""Journeys summarised from their touchpoints.

Whether a journey without conversion has lapsed or is still open depends on the watermark and so on the day one asks;
`outcomes` answers that, and the table keeps only what does not age.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.schemas import table_schema
from models.dictionaries import codes_of
from models.distinct import ascending
from models.touchpoints import spans

__all__ = ["outcomes", "summarise_journeys"]


def summarise_journeys(touchpoints: pa.Table, attributes: tuple[str, ...]) -> pa.Table:
    """The table `journeys` of a bucket of touchpoints, sorted as `build_touchpoints` leaves them."""
    step = touchpoints["step"].to_numpy()
    at = np.flatnonzero(step == 1)
    ends = np.r_[at[1:], len(step)] - 1 if len(at) else at
    converts = touchpoints["converts"].to_numpy()
    first_conversion = _first_true(converts, at)
    columns = {
        **spans(touchpoints, at, attributes, ends=ends),
        "journey_id": touchpoints["journey_id"].take(pa.array(at)),
        "sessions": pa.array(
            _distinct_runs(codes_of(touchpoints["session_id"]), at).astype(np.int32)
        ),
        "channels": pa.array(_distinct(codes_of(touchpoints["channel"]), at).astype(np.int32)),
        "converted": pa.array(first_conversion >= 0),
        "converted_at": touchpoints["event_time"].take(
            pa.array(np.maximum(first_conversion, 0), mask=first_conversion < 0)
        ),
        "path": _paths(touchpoints["stage"], at),
    }
    schema = table_schema("journeys", attributes=attributes)
    return pa.table({f.name: columns[f.name] for f in schema})


def outcomes(journeys: pa.Table, watermark: datetime, gap: timedelta) -> pa.DictionaryArray:
    """'converted', 'lapsed' (quiet for over `gap` before the watermark) or 'open', for each journey."""
    converted = journeys["converted"].to_numpy(zero_copy_only=False)
    ended = journeys["ended_at"].cast(pa.int64()).to_numpy()
    limit = int(watermark.timestamp()) * 1_000_000 + watermark.microsecond
    quiet = limit - ended > gap // timedelta(microseconds=1)
    codes = np.where(converted, 0, np.where(quiet, 1, 2)).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes), ["converted", "lapsed", "open"])


def _first_true(flags: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Row of the first true flag of each stretch; -1 if there is none."""
    if len(at) == 0:
        return at
    rows = np.where(flags, np.arange(len(flags)), len(flags))
    first = np.minimum.reduceat(rows, at)
    return np.where(first < len(flags), first, -1)


def _distinct_runs(codes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Number of different values of each stretch, where equal values stand together."""
    if len(at) == 0:
        return at
    changes = np.ones(len(codes), np.int64)
    changes[1:] = codes[1:] != codes[:-1]
    changes[at] = 1
    return np.add.reduceat(changes, at)


def _distinct(codes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Number of different values of each stretch; null is none."""
    if len(at) == 0:
        return at
    stretch = np.repeat(np.arange(len(at)), np.diff(np.r_[at, len(codes)]))
    width = int(codes.max(initial=0)) + 1
    pairs = ascending((stretch * width + codes)[codes >= 0])
    return np.bincount(pairs // width, minlength=len(at))


def _paths(stage: pa.ChunkedArray, at: np.ndarray) -> pa.Array:
    """Stages in order, repeats collapsed, joined by ' > '."""
    codes = codes_of(stage)
    kept = np.ones(len(codes), bool)
    kept[1:] = codes[1:] != codes[:-1]
    kept[at] = True
    offsets = np.r_[np.cumsum(np.r_[0, kept])[at], kept.sum()].astype(np.int32)
    text = pc.cast(stage.combine_chunks().filter(pa.array(kept)), pa.string())
    lists = pa.ListArray.from_arrays(pa.array(offsets), text)
    return pc.binary_join(lists, " > ")
