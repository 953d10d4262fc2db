"""Touchpoints of a bucket of customers, put in order, folded, and cut into sessions and journeys.

The order is (customer, event_time, source, event_id): total, so that the same events give the same rows
whatever way they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Config
from contracts.schemas import table_schema
from contracts.sql_text import md5_64
from models.dictionaries import DICTIONARY, codes_of, encode
from models.engine import query
from models.hexadecimal import hex_text
from models.money import from_units, to_units
from models.sequences import first_known, journey_starts, session_starts

__all__ = ["Cut", "build_touchpoints"]


@dataclass(frozen=True)
class Cut:
    """A bucket's tables, and how many lines of each source's receipts were folded away."""

    touchpoints: pa.Table
    sessions: pa.Table
    folded_lines: dict[str, int]


def _microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)


def build_touchpoints(events: pa.Table, config: Config) -> Cut:
    """Order, fold and cut the events of whole customers.

    Parameters
    ----------
    events : pa.Table
        `customer` (uint64), `touchpoint`, `stage` and the columns of `events` that touchpoints have, text
        dictionary-encoded; in any order.
    """
    attributes = config.attributes
    ordered = events.take(pa.array(_order(events)))
    ordered, lines, folded = _fold(ordered, config)
    customer = ordered["customer"].to_numpy()
    time_us = ordered["event_time"].cast(pa.int64()).to_numpy()
    converts = _is_one_of(ordered["touchpoint"], config.journey.conversion)
    opens_session = session_starts(
        customer,
        time_us,
        _microseconds(config.session.gap),
        split_at_midnight=config.session.split_at_midnight,
        campaign=codes_of(ordered["campaign"]) if config.session.split_on_campaign else None,
    )
    opens_journey = journey_starts(
        customer,
        time_us,
        _microseconds(config.journey.gap),
        converts=converts,
        pre_purchase=_is_one_of(ordered["stage"], config.pre_purchase_stages),
        restart_after_conversion=config.journey.restart_after_conversion,
    )
    hashes = _event_hashes(ordered, opens_session | opens_journey)
    sessions_at, journeys_at = np.flatnonzero(opens_session), np.flatnonzero(opens_journey)
    dwell = np.empty(len(ordered), np.float64)
    dwell[:-1] = np.diff(time_us) / 1e6
    ends = np.r_[opens_journey[1:], True][: len(ordered)]
    customers_at = np.flatnonzero(_changes(customer))
    columns = {
        "customer_id": _spread(hex_text(customer[customers_at]), _changes(customer)),
        "session_id": _spread(hex_text(hashes[sessions_at], "s"), opens_session),
        "session_step": _steps(opens_session),
        "journey_id": _spread(hex_text(hashes[journeys_at], "j"), opens_journey),
        "step": _steps(opens_journey),
        "dwell_s": pa.array(dwell, mask=ends),
        "converts": pa.array(converts),
        "person_id": _persons(ordered),
        "lines": pa.array(lines, pa.int32()),
    }
    names = [f.name for f in table_schema("touchpoints", attributes=attributes)]
    touchpoints = pa.table({n: columns[n] if n in columns else ordered[n] for n in names})
    return Cut(touchpoints, _sessions(touchpoints, sessions_at, attributes), folded)


def _persons(events: pa.Table) -> pa.DictionaryArray:
    """Who took each step of an account's journey; nobody where customers are the subject."""
    if "person" not in events.column_names:
        return pa.nulls(len(events), DICTIONARY)
    persons, place = np.unique(events["person"].to_numpy(), return_inverse=True)
    known = persons[place] != 0
    return pa.DictionaryArray.from_arrays(
        pa.array(place.astype(np.int32), mask=~known), hex_text(persons)
    )


def _order(events: pa.Table) -> np.ndarray:
    """Row order by (customer, event_time, source, event_id)."""
    customer = events["customer"].to_numpy()
    time_us = events["event_time"].cast(pa.int64()).to_numpy()
    sources = events["source"].combine_chunks()
    rank = np.argsort(np.argsort(np.array(sources.dictionary.to_pylist(), object)))
    source = rank[codes_of(sources)] if len(rank) else np.zeros(len(events), np.int64)
    order = np.lexsort((source, time_us, customer))
    same = np.zeros(len(order) + 1, bool)
    keys = [key[order] for key in (customer, time_us, source)]
    same[1:-1] = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    tied = np.flatnonzero(same[1:] | same[:-1])
    if len(tied):
        ids = pc.rank(events["event_id"].take(pa.array(order[tied])), tiebreaker="dense").to_numpy()
        group = np.cumsum(~same[:-1])[tied]
        order[tied] = order[tied][np.lexsort((ids, group))]
    return order


def _fold(events: pa.Table, config: Config) -> tuple[pa.Table, np.ndarray, dict[str, int]]:
    """Lines of one receipt become one touchpoint: the first line's, with the values added; in order."""
    folding = [name for name, source in config.sources.items() if source.lines_of_receipt]
    of_receipt = _is_one_of(events["source"], folding)
    of_receipt &= pc.is_valid(events["transaction_id"]).to_numpy(zero_copy_only=False)
    lines = np.ones(len(events), np.int32)
    rows = np.flatnonzero(of_receipt)
    if len(rows) == 0:
        return events, lines, {}
    receipts = events.take(pa.array(rows))
    receipt = codes_of(encode(receipts["transaction_id"]))
    keys = (
        receipts["customer"].to_numpy(),
        codes_of(receipts["source"]),
        codes_of(receipts["touchpoint"]),
        receipt,
    )
    order = np.lexsort(keys[::-1])  # stable: the first line in time leads its receipt
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    starts = np.flatnonzero(np.r_[True, ~same])
    leaders, sizes = rows[order[starts]], np.diff(np.r_[starts, len(order)])
    units = to_units(events["value"])
    valued = pc.is_valid(events["value"]).to_numpy(zero_copy_only=False).copy()
    units[leaders] = np.add.reduceat(units[rows][order], starts)
    valued[leaders] = np.logical_or.reduceat(valued[rows][order], starts)
    lines[leaders] = sizes
    keep = ~of_receipt
    keep[leaders] = True
    led = np.zeros(len(events), bool)
    led[leaders] = True
    ids = pc.binary_join_element_wise(
        events["transaction_id"], pc.cast(events["touchpoint"], pa.string()), "/"
    )
    folded = events.set_column(
        events.column_names.index("value"), "value", from_units(units, valued)
    )
    folded = folded.set_column(
        folded.column_names.index("event_id"),
        "event_id",
        pc.if_else(pa.array(led), ids, events["event_id"]),
    )
    folded = folded.append_column("own_id", events["event_id"])
    gone = pc.value_counts(events["source"].filter(pa.array(~keep))).to_pylist()
    kept = np.flatnonzero(keep)
    table = folded.take(pa.array(kept))
    order = _order(table)  # a receipt's id is not its first line's: ties may stand otherwise now
    return (
        table.take(pa.array(order)),
        lines[kept[order]],
        {entry["values"]: entry["counts"] for entry in gone},
    )


def _is_one_of(column: pa.ChunkedArray, values: Sequence[str]) -> np.ndarray:
    whole = column.combine_chunks()
    wanted = pc.is_in(whole.dictionary, pa.array(list(values), pa.string())).to_numpy(
        zero_copy_only=False
    )
    return np.append(wanted, False)[codes_of(whole)]


def _changes(values: np.ndarray) -> np.ndarray:
    changes = np.ones(len(values), bool)
    changes[1:] = values[1:] != values[:-1]
    return changes


def _event_hashes(events: pa.Table, rows: np.ndarray) -> np.ndarray:
    """64 bits of MD5 over (source, event_id) where `rows` says so; an event opens one session only,
    so its hash names the session, however many came before. A receipt goes by its first line, for
    receipts of two customers may bear one number.
    """
    hashes = np.zeros(len(events), np.uint64)
    own_id = "own_id" if "own_id" in events.column_names else "event_id"
    chosen = events.select(["source", own_id]).filter(pa.array(rows))
    plain = chosen.set_column(0, "source", chosen["source"].cast(pa.string()))
    sql = f"SELECT {md5_64(f'source || chr(31) || {own_id}')} AS hash FROM chosen"
    hashes[rows] = query(sql, chosen=plain)["hash"].to_numpy()
    return hashes


def _spread(values: pa.StringArray, starts: np.ndarray) -> pa.DictionaryArray:
    """One value a stretch, given to all its rows."""
    codes = (np.cumsum(starts) - 1).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(codes), values)


def _steps(starts: np.ndarray) -> pa.Array:
    """1-based position of each row in its stretch."""
    rows = np.arange(len(starts))
    first = np.maximum.accumulate(np.where(starts, rows, 0))
    return pa.array((rows - first + 1).astype(np.int32))


def _sessions(touchpoints: pa.Table, at: np.ndarray, attributes: tuple[str, ...]) -> pa.Table:
    ends = np.r_[at[1:], len(touchpoints)] - 1 if len(at) else at
    started, ended = (
        touchpoints["event_time"].take(pa.array(at)),
        touchpoints["event_time"].take(pa.array(ends)),
    )
    duration = (ended.cast(pa.int64()).to_numpy() - started.cast(pa.int64()).to_numpy()) / 1e6
    converts = touchpoints["converts"].to_numpy()
    columns = {
        **spans(touchpoints, at, attributes, ends=ends),
        "session_id": touchpoints["session_id"].take(pa.array(at)),
        "session_duration_s": pa.array(duration),
        "converted": pa.array(np.logical_or.reduceat(converts, at) if len(at) else converts),
    }
    schema = table_schema("sessions", attributes=attributes)
    return pa.table({f.name: columns[f.name] for f in schema})


def spans(
    touchpoints: pa.Table, at: np.ndarray, attributes: tuple[str, ...], ends: np.ndarray
) -> dict[str, pa.ChunkedArray | pa.Array]:
    """What sessions and journeys have in common: times, ends, value, first known attributes.

    `value` counts conversions and refunds; what merely carries a price (a product seen) does not move money.
    """
    first, last = pa.array(at), pa.array(ends)
    units = to_units(touchpoints["value"])
    moved = touchpoints["converts"].to_numpy() | (units < 0)
    value = np.add.reduceat(np.where(moved, units, 0), at) if len(at) else np.zeros(0, np.int64)
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        "customer_id": touchpoints["customer_id"].take(first),
        "started_at": touchpoints["event_time"].take(first),
        "ended_at": touchpoints["event_time"].take(last),
        "touchpoints": pa.array((ends - at + 1).astype(np.int32)),
        "entry_channel": touchpoints["channel"].take(first),
        "entry_touchpoint": touchpoints["touchpoint"].take(first),
        "exit_touchpoint": touchpoints["touchpoint"].take(last),
        "value": from_units(value),
    }
    for name in attributes:
        column = touchpoints[name].combine_chunks()
        codes = first_known(codes_of(column), at)
        indices = pa.array(np.maximum(codes, 0).astype(np.int32), mask=codes < 0)
        columns[name] = pa.DictionaryArray.from_arrays(indices, column.dictionary)
    return columns
