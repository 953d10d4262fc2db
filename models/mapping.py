"""From raw records to events, by what `models.source_sql` makes of a source's declaration.

Every record ends in exactly one of these places: events, dead letters (cannot be read or mapped), quarantine
(read, but implausible in time), or nowhere: of records without consent, and of persons who were erased, only the
number is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.expressions import Const
from contracts.sources import Source
from models.consent import consent_schema
from models.dictionaries import DICTIONARY, constant, encode, map_values, strip
from models.identifiers import Pseudonymiser, clean_identifiers
from models.redaction import private_ids, private_texts
from models.refused_values import REFUSED, all_refused
from models.source_sql import NUMBERS, PLACE, POSITION, TEXT_FIELDS, Mapping, select
from models.tombstones import Tombstones

__all__ = ["Mapped", "datable", "map_records"]

_ADVICE = {
    "unreadable_json": "the record is no valid JSON; have the producer send whole documents",
    "foreign_record": "the record is not of the kind this source reads; give it a source of its own",
    "missing_event_time": "no value where fields.event_time points; correct the path or the producer",
    "bad_event_time": "the time is not in the declared format; set fields.event_time.format",
    "bad_ingest_time": "the time is not in the declared format; set fields.ingest_time.format",
    "missing_event_type": "no value where fields.event_type points; correct the path or the producer",
    "bad_value": "no number where fields.value points; map it with an sql expression",
    "bad_csat": "no number where fields.csat points; map answers to 0..1 with a lookup",
    "bad_nps": "no number where fields.nps points; map answers to 0..10 with a lookup",
    "bad_sentiment": "no number where fields.sentiment points; map it to -1..1",
}


@dataclass(frozen=True)
class Mapped:
    """Where the records of a batch went; of `withheld` and `erased` nothing but their number is kept.

    `events` and `quarantine` hold the columns of `events` and `record_hash` (uint64, of the
    raw record); identifiers and other repetitive columns are dictionary-encoded.
    """

    events: pa.Table
    dead_letters: pa.Table
    quarantine: pa.Table
    consents: pa.Table
    """What the records say of their customers' consent: the columns of `consent_schema`."""
    withheld: int
    erased: int
    given: dict[str, int]
    """How many accepted or held records have a value, by place in the source's declaration."""


def map_records(
    raw: pa.Table,
    mapping: Mapping,
    *,
    now: datetime,
    pseudonymiser: Pseudonymiser | None = None,
    tombstones: Tombstones | None = None,
    released: Collection[str] = (),
) -> Mapped:
    """Map raw records onto the columns of `events`.

    Parameters
    ----------
    raw : pa.Table
        `POSITION` (int64, 1-based line), `PLACE` (record within it, if lines hold several), and
        either `record` (JSON text, valid UTF-8) or the file's columns as text.
    now : datetime
        Events after it are held as `in_future`.
    tombstones : Tombstones, optional
        Of persons who were erased.
    released : collection of str
        Ids of events that are not held, whatever their time.

    Returns
    -------
    Mapped
        Every record of `raw` in exactly one of its places.
    """
    mapped = select(mapping, raw).combine_chunks()
    dead = pa.table(_DEAD_EMPTY)
    if mapped["reason"].null_count < len(mapped):
        is_dead = pc.is_valid(mapped["reason"])
        dead = _dead_letters(mapped.filter(is_dead))
        mapped = mapped.filter(pc.invert(is_dead))
    ids = private_ids(mapped["event_id"].combine_chunks(), pseudonymiser)
    mapped = mapped.set_column(mapped.column_names.index("event_id"), "event_id", ids)
    consents = _consents(mapped, mapping, pseudonymiser, tombstones)
    withheld = 0
    if mapping.source.consent:
        withheld = len(mapped) - (pc.sum(mapped["granted"]).as_py() or 0)
        mapped = mapped.filter(mapped["granted"]) if withheld else mapped
    erased = 0
    if tombstones is not None:
        gone = _erased(mapped, mapping, tombstones)
        erased = int(gone.sum())
        mapped = mapped.filter(pa.array(~gone)) if erased else mapped
    late = pc.greater(mapped["event_us"], _epoch_us(now))
    early = pc.less(mapped["event_us"], _epoch_us(mapping.config.min_event_time))
    held = pc.or_(late, early)
    if released:
        ids = pa.array(sorted(released), pa.string())
        held = pc.and_(
            held, pc.invert(pc.and_(pc.is_in(mapped["event_id"], ids), datable(mapped["event_us"])))
        )
    events = _events(mapped, mapping, pseudonymiser)
    given = _given(mapped, mapping.source)
    if not pc.any(held).as_py():
        return Mapped(events, dead, events.slice(0, 0), consents, withheld, erased, given)
    reason = pc.if_else(late, "in_future", "too_old").combine_chunks()
    quarantine = (
        events.append_column("reason", reason)
        .append_column("position", mapped[POSITION])
        .append_column("place", mapped[PLACE])
        .filter(held)
    )
    return Mapped(
        events.filter(pc.invert(held)), dead, quarantine, consents, withheld, erased, given
    )


def _consents(
    mapped: pa.Table,
    mapping: Mapping,
    pseudonymiser: Pseudonymiser | None,
    tombstones: Tombstones | None,
) -> pa.Table:
    schema = consent_schema(mapping.config.person_namespaces)
    if "states" not in mapped.column_names:
        return schema.empty_table()
    said = mapped.filter(pc.is_valid(mapped["states"])).combine_chunks()
    if tombstones is not None:
        said = said.filter(pa.array(~_erased(said, mapping, tombstones)))
    columns = {
        "source": pa.repeat(mapping.name, len(said)),
        "event_id": said["event_id"],
        "stated_us": said["event_us"],
        "granted": said["states"],
    }
    for name in mapping.config.person_namespaces:
        columns[f"id_{name}"] = (
            clean_identifiers(
                encode(said[f"id_{name}"]), name, mapping.config.identity, pseudonymiser
            ).values.cast(pa.string())
            if f"id_{name}" in said.column_names
            else pa.nulls(len(said), pa.string())
        )
    return pa.table([columns[field.name] for field in schema], schema=schema)


def _erased(mapped: pa.Table, mapping: Mapping, tombstones: Tombstones) -> np.ndarray:
    identity, of_persons = mapping.config.identity, set(mapping.config.person_namespaces)
    raw = {
        name: encode(mapped[f"id_{name}"])
        for name in mapping.source.identifiers
        if name in of_persons
    }
    return tombstones.of_raw(raw, mapping.name, mapped["event_id"], identity)


def datable(event_us: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether times, in microseconds since 1970, lie in the years 1 to 9999: others have no file to go to."""
    return pc.and_(
        pc.greater_equal(event_us, -62_135_596_800_000_000),
        pc.less(event_us, 253_402_300_800_000_000),
    )


def _given(mapped: pa.Table, source: Source) -> dict[str, int]:
    places = {f"identifiers.{name}": f"id_{name}" for name in source.identifiers}
    places |= {f"attributes.{name}": name for name in source.attributes}
    fields = (*TEXT_FIELDS, *NUMBERS)
    places |= {f"fields.{name}": name for name in fields if name in mapped.column_names}
    return {place: len(mapped) - mapped[name].null_count for place, name in places.items()}


_NO_TEXT = pa.array([], pa.string())
_DEAD_EMPTY = {
    "position": pa.array([], pa.int64()),
    "place": pa.array([], pa.int64()),
    "reason": _NO_TEXT,
    "message": _NO_TEXT,
    "record_hash": pa.array([], pa.uint64()),
}


def _epoch_us(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000 + time.microsecond


_SHOWN = 40
_OTHERWISE_CALLED = {"bad_event_time": "time_text", "bad_ingest_time": "ingest_text"}


def _shapes(texts: pa.Array) -> pa.Array:
    """What bad values look like without what they say: letters and digits are masked; "..." where there was more."""
    shown = pc.utf8_slice_codeunits(texts, 0, _SHOWN)
    masked = pc.replace_substring_regex(shown, r"\p{N}", "9")
    masked = pc.replace_substring_regex(masked, r"[\p{L}\p{M}]", "x")
    more = pc.if_else(pc.greater(pc.utf8_length(texts), _SHOWN), " ...", "")
    return map_values(
        encode(pc.binary_join_element_wise(masked, more, "\0")),
        lambda found: pa.array([_told(*text.rsplit("\0", 1)) for text in found.to_pylist()]),
    ).cast(pa.string())


def _told(masked: str, more: str) -> str:
    return f"found text of the shape {masked!r}{more}; "


def _messages(bad: pa.Table) -> pa.Array:
    reasons = bad["reason"].combine_chunks()
    messages = pc.replace_with_mask(reasons, pc.is_null(reasons), "")
    for reason in pc.unique(reasons).to_pylist():
        of_reason = pc.equal(reasons, reason)
        told = pa.repeat(_ADVICE[reason], int(pc.sum(of_reason).as_py()))
        if reason.startswith("bad_"):
            field = _OTHERWISE_CALLED.get(reason, f"{reason.removeprefix('bad_')}_text")
            values = bad[field].combine_chunks().filter(of_reason)
            told = pc.binary_join_element_wise(_shapes(values), told, "")
        messages = pc.replace_with_mask(messages, of_reason, told)
    return messages


def _dead_letters(bad: pa.Table) -> pa.Table:
    return pa.table(
        {
            "position": bad[POSITION],
            "place": bad[PLACE],
            "reason": bad["reason"],
            "message": _messages(bad),
            "record_hash": bad["record_hash"],
        }
    )


def _times(microseconds: pa.ChunkedArray) -> pa.Array:
    return pc.cast(microseconds, pa.timestamp("us", tz="UTC")).combine_chunks()


def _without_query(pages: pa.Array) -> pa.Array:
    return strip(pc.replace_substring_regex(pages, r"(?s)[?#].*$", ""))


def _events(mapped: pa.Table, mapping: Mapping, pseudonymiser: Pseudonymiser | None) -> pa.Table:
    """The accepted records in the columns of `events` (without file_id)."""
    config, count = mapping.config, len(mapped)
    have = set(mapped.column_names)

    def private(texts: pa.Array, field: str) -> pa.Array:
        return private_texts(texts, mapping.source.free_text.get(field), config.privacy)

    def dictionary(name: str, clean: Callable[[pa.Array], pa.Array] = strip) -> pa.DictionaryArray:
        if name not in have:
            return pa.nulls(count, DICTIONARY)
        return map_values(encode(mapped[name]), lambda texts: clean(private(texts, name)))

    channel = mapping.source.channel
    event_us = mapped["event_us"]
    ingest_us = pc.coalesce(mapped["ingest_us"], event_us) if "ingest_us" in have else event_us
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        "source": constant(mapping.name, count),
        "event_id": mapped["event_id"],
        "event_time": _times(event_us),
        "ingest_time": _times(ingest_us),
        "event_type": dictionary("event_type", pc.utf8_trim_whitespace),
        "channel": constant(channel.const, count)
        if isinstance(channel, Const)
        else dictionary("channel", lambda v: strip(pc.utf8_lower(v))),
        "page": dictionary("page", _without_query),
        "transaction_id": private(mapped["transaction_id"].combine_chunks(), "transaction_id")
        if "transaction_id" in have
        else pa.nulls(count, pa.string()),
        "value": mapped["value"] if "value" in have else pa.nulls(count, pa.decimal128(18, 4)),
        "currency": dictionary("currency"),
    }
    for name in ("csat", "nps", "sentiment"):
        columns[name] = mapped[name] if name in have else pa.nulls(count, pa.float64())
    refused = []
    for namespace in config.namespaces:
        name = f"id_{namespace}"
        if name not in have:
            columns[name] = pa.nulls(count, DICTIONARY)
            continue
        given = encode(mapped[name])
        cleaned = clean_identifiers(given, namespace, config.identity, pseudonymiser)
        columns[name] = cleaned.values
        if cleaned.refused is not None:
            refused.append(cleaned.refused)
    columns[REFUSED] = all_refused(refused, count)
    for attribute in config.attributes:
        columns[attribute] = dictionary(attribute)
    columns["record_hash"] = mapped["record_hash"]
    return pa.table(columns)
