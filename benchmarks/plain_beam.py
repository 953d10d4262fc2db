"""Raw web events to sessions as an ordinary Beam pipeline: an element a record, a dict an element.

The same work as footpath's stages ingest, resolve and sessionize under benchmarks/config.yml, on
the same files, with Beam's own transforms: `MatchFiles` and `ReadMatches`, which know file and line
(`ReadFromText` does not know the line), tagged outputs, `GroupByKey` for duplicates and customers,
combiners and a union-find for identity, `WriteToFiles` by date, `WriteToParquet`. orjson parses
where it is installed. Beam takes its own options, too (`--direct_running_mode` and the like).

Written, below the folder `out`, as zstd Parquet: ``events/source=web/<date>-*``,
``dead_letters-*``, ``quarantine-*``, ``identities-*``, ``touchpoints-*``, ``sessions-*``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io import WriteToParquet, fileio
from apache_beam.options.pipeline_options import PipelineOptions

try:
    from orjson import loads  # faster, where it is installed
except ImportError:
    from json import loads

Record = dict[str, Any]
Link = tuple[str | None, str | None, str | None]
"""Identifiers of an event: one for each of `NAMESPACES`."""
Span = tuple[int, int, int]
"""First seen, last seen (microseconds since 1970), number of events."""

NAMESPACES = ("user_id", "email", "anonymous_id")
"""Strongest first."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_AS_OF = (datetime(2026, 7, 2, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_EARLIEST = (datetime(2000, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_GAP = timedelta(minutes=30) // _MICROSECOND
_CENT_OF_CENT = Decimal("0.0001")

# fmt: off
_NULL_LIKE = frozenset({
    "null", "none", "undefined", "nan", "n/a", "na", "nil", "unknown", "anonymous", "guest", "test",
    "(not set)", "[object object]", "-1",
})
# fmt: on
_ZEROS = re.compile(r"[0-]*")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

_TOUCHPOINTS = {
    "order completed": ("purchase", "purchase"),
    "payment failed": ("payment_failed", "purchase"),
    "payment info entered": ("payment", "purchase"),
    "checkout started": ("checkout", "purchase"),
    "product added": ("cart", "purchase"),
    "cart viewed": ("cart", "purchase"),
    "coupon applied": ("cart", "purchase"),
    "products searched": ("search", "consideration"),
    "product list viewed": ("product_list", "consideration"),
    "product viewed": ("product", "consideration"),
    "product added to wishlist": ("product", "consideration"),
    "store finder": ("store_locator", "consideration"),
    "landing": ("landing", "awareness"),
    "promotion clicked": ("landing", "awareness"),
    "home": ("browse", "awareness"),
    "guide": ("browse", "awareness"),
    "order status": ("order_status", "service"),
    "loyalty club": ("club", "loyalty"),
    "product reviewed": ("review", "advocacy"),
    "product shared": ("review", "advocacy"),
}
_CHECKOUT_STEPS = {"/checkout/address": "address", "/checkout/shipping": "shipping"}

_TIME = pa.timestamp("us", tz="UTC")
_MONEY = pa.decimal128(18, 4)


def _schema(texts: str, **others: pa.DataType) -> pa.Schema:
    fields = [(name, pa.string()) for name in texts.split()]
    return pa.schema([*fields, *others.items()])


_EVENT = _schema(
    "source event_id event_type channel page transaction_id currency file id_user_id id_email "
    "id_anonymous_id device campaign",
    event_time=_TIME,
    ingest_time=_TIME,
    value=_MONEY,
)
_QUARANTINE = _EVENT.append(pa.field("reason", pa.string()))
_DEAD_LETTER = _schema("source file reason", position=pa.int64())
_IDENTITY = _schema(
    "namespace value customer_id", first_seen=_TIME, last_seen=_TIME, events=pa.int64()
)
_TOUCHPOINT = _schema(
    "customer_id source event_id channel event_type touchpoint stage session_id page "
    "transaction_id currency device campaign",
    event_time=_TIME,
    value=_MONEY,
    session_step=pa.int32(),
)
_SESSION = _schema(
    "session_id customer_id entry_channel entry_touchpoint exit_touchpoint device campaign",
    started_at=_TIME,
    ended_at=_TIME,
    touchpoints=pa.int32(),
    session_duration_s=pa.float64(),
    converted=pa.bool_(),
    value=_MONEY,
)


def numbered_lines(file: fileio.ReadableFile) -> Iterator[tuple[str, int, bytes]]:
    """Path, 1-based number and text of every line of a file."""
    path = file.metadata.path
    with file.open(compression_type="uncompressed") as lines:
        for number, line in enumerate(lines, start=1):
            yield path, number, line


class Refused(ValueError):
    """A record that becomes a dead letter; its text is the reason."""


class Parse(beam.DoFn):
    """Lines to events; what cannot be read goes to `dead_letters`, what is held to `quarantine`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def setup(self) -> None:
        self._clean_id = lru_cache(1 << 17)(self._clean_id_anew)
        self._clean_email = lru_cache(1 << 17)(self._clean_email_anew)

    def process(self, element: tuple[str, int, bytes]) -> Iterator[Any]:
        path, number, line = element
        try:
            event = self._event(path, line)
        except Refused as reason:
            letter = {"source": "web", "file": path, "position": number, "reason": str(reason)}
            yield beam.pvalue.TaggedOutput("dead_letters", letter)
            return
        if event["event_time"] > _AS_OF:
            yield beam.pvalue.TaggedOutput("quarantine", {**event, "reason": "in_future"})
        elif event["event_time"] < _EARLIEST:
            yield beam.pvalue.TaggedOutput("quarantine", {**event, "reason": "too_old"})
        else:
            yield event

    def _event(self, path: str, line: bytes) -> Record:
        try:
            record = loads(line)
        except ValueError:
            raise Refused("unreadable_json") from None
        get = record.get if isinstance(record, dict) else {}.get
        properties, context = _inner(get("properties")), _inner(get("context"))
        event_time = _time(get("timestamp"), "event_time")
        if event_time is None:
            raise Refused("missing_event_time")
        event_type = _text(get("event")) or _text(get("name")) or _text(get("type"))
        if event_type is None:
            raise Refused("missing_event_type")
        ingest_time = _time(get("receivedAt"), "ingest_time")
        page = _text(properties.get("path"))
        return {
            "source": "web",
            "event_id": _text(get("messageId")) or hashlib.sha256(line).hexdigest(),
            "event_time": event_time,
            "ingest_time": event_time if ingest_time is None else ingest_time,
            "event_type": event_type,
            "channel": "web",
            "page": page and (page.partition("?")[0].partition("#")[0].strip() or None),
            "transaction_id": _text(properties.get("order_id")),
            "value": _money(properties.get("revenue")),
            "currency": _text(properties.get("currency")),
            "file": path,
            "id_user_id": self._clean_id("user_id", _text(get("userId"))),
            "id_email": self._clean_email(_text(_inner(get("traits")).get("email"))),
            "id_anonymous_id": self._clean_id("anonymous_id", _text(get("anonymousId"))),
            "device": _text(_inner(context.get("device")).get("type")),
            "campaign": _text(_inner(context.get("campaign")).get("name")),
        }

    def _clean_id_anew(self, namespace: str, value: str | None) -> str | None:
        if value is None or _says_nothing(value):
            return None
        return self._keyed_hash(namespace, value) if "@" in value else value

    def _clean_email_anew(self, value: str | None) -> str | None:
        if value is None or _says_nothing(value) or not _EMAIL.fullmatch(value):
            return None
        return self._keyed_hash("email", value.lower())

    def _keyed_hash(self, namespace: str, value: str) -> str:
        return hmac.digest(self._key, f"{namespace}\x1f{value}".encode(), "sha256")[:16].hex()


def _inner(value: Any) -> Record:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """The value as text, trimmed; nothing if it is empty."""
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value)).strip() or None


def _says_nothing(value: str) -> bool:
    return value.lower() in _NULL_LIKE or _ZEROS.fullmatch(value) is not None


def _time(value: Any, name: str) -> int | None:
    """Microseconds since 1970; without a zone it is UTC."""
    text = _text(value)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"bad_{name}") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return (time - _EPOCH) // _MICROSECOND


def _money(value: Any) -> Decimal | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return Decimal(text).quantize(_CENT_OF_CENT)
    except InvalidOperation:
        raise Refused("bad_value") from None


def earliest(element: tuple[str, Iterable[Record]]) -> Record:
    """The copy of an event that was received first; ties by content."""
    first, *others = element[1]
    if not others:
        return first
    return min((first, *others), key=lambda e: (e["ingest_time"], repr(sorted(e.items()))))


def link_of(event: Record) -> Link:
    return event["id_user_id"], event["id_email"], event["id_anonymous_id"]


def links(event: Record) -> Iterator[tuple[Link, Span]]:
    link = link_of(event)
    if any(link):
        yield link, (event["event_time"], event["event_time"], 1)


class MergeSpans(beam.CombineFn):
    """First seen, last seen and number of events of what carries the same key."""

    def create_accumulator(self) -> Span | None:
        return None

    def add_input(self, accumulator: Span | None, span: Span) -> Span:
        return span if accumulator is None else _merged(accumulator, span)

    def merge_accumulators(self, accumulators: Iterable[Span | None]) -> Span | None:
        merged = None
        for span in accumulators:
            if span is not None:
                merged = self.add_input(merged, span)
        return merged

    def extract_output(self, accumulator: Span | None) -> Span | None:
        return accumulator


def _merged(a: Span, b: Span) -> Span:
    return min(a[0], b[0]), max(a[1], b[1]), a[2] + b[2]


def resolve(spans: Iterable[tuple[Link, Span]]) -> Iterator[Record]:
    """Connected components of identifiers, by union-find; each is named after its oldest."""
    parent: dict[tuple[int, str], tuple[int, str]] = {}
    seen: dict[tuple[int, str], Span] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while (above := parent[node]) != node:
            parent[node] = parent[above]
            node = parent[node]
        return node

    for link, span in spans:
        nodes = [(strength, value) for strength, value in enumerate(link) if value]
        for node in nodes:
            parent.setdefault(node, node)
            seen[node] = _merged(seen[node], span) if node in seen else span
            parent[root(node)] = root(nodes[0])
    oldest: dict[tuple[int, str], tuple[int, int, str]] = {}
    for node, span in seen.items():
        top, age = root(node), (span[0], *node)
        oldest[top] = min(oldest.get(top, age), age)
    for node, (first_seen, last_seen, events) in seen.items():
        _, strength, value = oldest[root(node)]
        name = f"{NAMESPACES[strength]}\x1f{value}".encode()
        yield {
            "namespace": NAMESPACES[node[0]],
            "value": node[1],
            "customer_id": hashlib.md5(name).digest()[7::-1].hex(),
            "first_seen": first_seen,
            "last_seen": last_seen,
            "events": events,
        }


def touchpoint(
    event: Record, customers: dict[tuple[str, str], str]
) -> Iterator[tuple[str, Record]]:
    """An event as a touchpoint of its customer; nothing if it has none or is to be ignored."""
    link = zip(NAMESPACES, link_of(event), strict=True)
    identifier = next(((name, value) for name, value in link if value), None)
    kind = event["event_type"].lower()
    if identifier is None or kind == "identify":
        return
    if kind.startswith("checkout step "):
        page = (event["page"] or "").lower()
        name, stage = _CHECKOUT_STEPS.get(page, "order_review"), "purchase"
    else:
        name, stage = _TOUCHPOINTS.get(kind, ("other", "other"))
    yield (
        customers[identifier],
        {
            "source": event["source"],
            "event_id": event["event_id"],
            "event_time": event["event_time"],
            "channel": event["channel"],
            "event_type": event["event_type"],
            "touchpoint": name,
            "stage": stage,
            "page": event["page"],
            "transaction_id": event["transaction_id"],
            "value": event["value"],
            "currency": event["currency"],
            "device": event["device"],
            "campaign": event["campaign"],
        },
    )


def sessionise(element: tuple[str, Iterable[Record]]) -> Iterator[Any]:
    """Touchpoints of a customer in order, with their sessions; a row a session to `sessions`."""
    customer_id, touchpoints = element
    session: list[Record] = []
    session_id = ""
    ordered = sorted(touchpoints, key=lambda t: (t["event_time"], t["event_id"]))
    for place, row in enumerate(ordered, start=1):
        if not session or row["event_time"] - session[-1]["event_time"] > _GAP:
            if session:
                yield beam.pvalue.TaggedOutput("sessions", _session(session))
            session, session_id = [], f"{customer_id}-{place}"
        row = {
            **row,
            "customer_id": customer_id,
            "session_id": session_id,
            "session_step": len(session) + 1,
        }
        session.append(row)
        yield row
    yield beam.pvalue.TaggedOutput("sessions", _session(session))


def _session(rows: list[Record]) -> Record:
    first, last = rows[0], rows[-1]
    values = [
        row["value"]
        for row in rows
        if row["value"] is not None and (row["touchpoint"] == "purchase" or row["value"] < 0)
    ]
    return {
        "session_id": first["session_id"],
        "customer_id": first["customer_id"],
        "started_at": first["event_time"],
        "ended_at": last["event_time"],
        "touchpoints": len(rows),
        "entry_channel": first["channel"],
        "entry_touchpoint": first["touchpoint"],
        "exit_touchpoint": last["touchpoint"],
        "session_duration_s": (last["event_time"] - first["event_time"]) / 1e6,
        "converted": any(row["touchpoint"] == "purchase" for row in rows),
        "value": sum(values, Decimal(0)),
        "device": next((row["device"] for row in rows if row["device"]), None),
        "campaign": next((row["campaign"] for row in rows if row["campaign"]), None),
    }


class ParquetSink(fileio.FileSink):
    """Rows of one destination of `WriteToFiles`, as Parquet."""

    _ROWS = 10_000

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def open(self, fh: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(fh, self._schema, compression="zstd", compression_level=1)
        self._rows: list[Record] = []

    def write(self, record: Record) -> None:
        self._rows.append(record)
        if len(self._rows) == self._ROWS:
            self._write_rows()

    def flush(self) -> None:
        self._write_rows()
        self._writer.close()

    def _write_rows(self) -> None:
        self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows = []


def date_of(event: Record) -> str:
    return (_EPOCH + timedelta(microseconds=event["event_time"])).date().isoformat()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", help="glob of the JSON lines")
    parser.add_argument("out", help="folder to write to; new")
    parser.add_argument("--key-env", default="FOOTPATH_KEY")
    arguments, beam_arguments = parser.parse_known_args()
    key = os.environ[arguments.key_env].encode()
    Path(arguments.out).mkdir(parents=True)

    def write(name: str, schema: pa.Schema) -> WriteToParquet:
        prefix = os.path.join(arguments.out, name)
        return WriteToParquet(prefix, schema, codec="zstd", file_name_suffix=".parquet")

    options = PipelineOptions(["--runner=FnApiRunner", *beam_arguments])
    with beam.Pipeline(options=options) as pipeline:
        parsed = (
            pipeline
            | "MatchFiles" >> fileio.MatchFiles(arguments.input)
            | "SpreadFiles" >> beam.Reshuffle()
            | "ReadMatches" >> fileio.ReadMatches()
            | "ReadLines" >> beam.FlatMap(numbered_lines)
            | "Parse"
            >> beam.ParDo(Parse(key)).with_outputs("dead_letters", "quarantine", main="events")
        )
        _ = parsed.dead_letters | "WriteDeadLetters" >> write("dead_letters", _DEAD_LETTER)
        _ = parsed.quarantine | "WriteQuarantine" >> write("quarantine", _QUARANTINE)
        events = (
            parsed.events
            | "KeyById" >> beam.Map(lambda event: (event["event_id"], event))
            | "GroupById" >> beam.GroupByKey()
            | "Earliest" >> beam.Map(earliest)
        )
        _ = events | "WriteEvents" >> fileio.WriteToFiles(
            os.path.join(arguments.out, "events", "source=web"),
            destination=date_of,
            sink=lambda _: ParquetSink(_EVENT),
            file_naming=fileio.destination_prefix_naming(".parquet"),
            max_writers_per_bundle=400,
        )
        identities = (
            events
            | "Links" >> beam.FlatMap(links)
            | "MergeLinks" >> beam.CombinePerKey(MergeSpans())
            | "AllLinks" >> beam.combiners.ToList()
            | "Resolve" >> beam.FlatMap(resolve)
        )
        _ = identities | "WriteIdentities" >> write("identities", _IDENTITY)
        customers = identities | "KeyByIdentifier" >> beam.Map(
            lambda row: ((row["namespace"], row["value"]), row["customer_id"])
        )
        touchpoints = (
            events
            | "Touchpoints" >> beam.FlatMap(touchpoint, beam.pvalue.AsDict(customers))
            | "GroupByCustomer" >> beam.GroupByKey()
            | "Sessionise" >> beam.FlatMap(sessionise).with_outputs("sessions", main="touchpoints")
        )
        _ = touchpoints.touchpoints | "WriteTouchpoints" >> write("touchpoints", _TOUCHPOINT)
        _ = touchpoints.sessions | "WriteSessions" >> write("sessions", _SESSION)


if __name__ == "__main__":
    main()
