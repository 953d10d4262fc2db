"""Tables of records, of who is who, and of runs: what ingest and resolve leave, and the accounting."""

from __future__ import annotations

import pyarrow as pa

from contracts.table import MONEY, TEXT, TIME, Column, Table

__all__ = ["RECORD_TABLES"]

_EVENT = (
    Column("source", TEXT, "feed that told us of the event"),
    Column("event_id", TEXT, "id within the source; SHA-256 of the record where it has none"),
    Column("event_time", TIME, "when it happened, UTC"),
    Column("ingest_time", TIME, "when the source received it, UTC; null if it does not say"),
    Column("event_type", TEXT, "what the source calls the event"),
    Column("channel", TEXT, "where it happened: web, email, store, support ..."),
    Column("page", TEXT, "page or screen path, without query"),
    Column("transaction_id", TEXT, "order or receipt the event belongs to"),
    Column("value", MONEY, "money moved by the event, in `currency`; refunds are negative"),
    Column("currency", TEXT, "ISO 4217 code of `value`"),
    Column("csat", pa.float64(), "satisfaction answer scaled to 0..1"),
    Column("nps", pa.float64(), "net promoter answer, 0..10"),
    Column("sentiment", pa.float64(), "sentiment of a text, -1..1"),
)

RECORD_TABLES = (
    Table(
        "events",
        "accepted, de-duplicated source event",
        ("source", "event_id"),
        (
            *_EVENT,
            Column("file_id", TEXT, "file it was read from (ingest_ledger)", provenance=True),
        ),
        ("identifiers", "attributes"),
    ),
    Table(
        "dead_letters",
        "record that could not be parsed or mapped",
        ("source", "file_id", "position", "place"),
        (
            Column("source", TEXT, "feed"),
            Column("file_id", TEXT, "file it was read from (ingest_ledger)", provenance=True),
            Column("position", pa.int64(), "1-based line or record in the file", provenance=True),
            Column(
                "place", pa.int64(), "1-based record in a line that holds several", provenance=True
            ),
            Column("reason", TEXT, "reason code"),
            Column("message", TEXT, "what was found, what was allowed, what to do"),
        ),
    ),
    Table(
        "quarantine",
        "parsed record that is held as suspicious",
        ("source", "file_id", "position", "place"),
        (
            *_EVENT,
            Column("file_id", TEXT, "file it was read from (ingest_ledger)", provenance=True),
            Column("position", pa.int64(), "1-based line or record in the file", provenance=True),
            Column(
                "place", pa.int64(), "1-based record in a line that holds several", provenance=True
            ),
            Column("reason", TEXT, "why it is held: in_future, too_old"),
            Column("decision", TEXT, "dropped by order; null while it waits"),
        ),
        ("identifiers", "attributes"),
    ),
    Table(
        "ingest_ledger",
        "file of a source, as listed and as it was",
        ("source", "path", "file_id"),
        (
            Column("source", TEXT, "feed"),
            Column("path", TEXT, "path as listed"),
            Column("file_id", TEXT, "hash of the content"),
            Column("bytes", pa.int64(), "size of the file as stored"),
            Column("modified_at", TIME, "time of its last change, UTC"),
            Column("again", pa.bool_(), "same content as an earlier file of the source; not read"),
            Column("records_read", pa.int64(), "records found in it"),
            Column("events", pa.int64(), "records accepted as events"),
            Column("duplicates", pa.int64(), "records that repeat an event"),
            Column("dead_letters", pa.int64(), "records that could not be read or mapped"),
            Column("quarantined", pa.int64(), "records held as suspicious"),
            Column("withheld", pa.int64(), "records without the consent their source requires"),
            Column("erased", pa.int64(), "records of persons who were erased"),
        ),
        bookkeeping=True,
    ),
    Table(
        "identities",
        "identifier",
        ("namespace", "value"),
        (
            Column("namespace", TEXT, "namespace of the identifier"),
            Column("value", TEXT, "normalised value; a keyed hash where it is personal"),
            Column("customer_id", TEXT, "resolved customer; null where shared or saying nothing"),
            Column("first_seen", TIME, "first event with it, UTC"),
            Column("last_seen", TIME, "last event with it, UTC"),
            Column("events", pa.int64(), "events that carry it"),
            Column(
                "rule",
                TEXT,
                "what tied it: oldest, or the namespace it was seen beside; alone; shared (see "
                "identity_intervals); says nothing, split by order (see identity_refusals)",
            ),
        ),
    ),
    Table(
        "identity_intervals",
        "shared device x time during which its anonymous events are one customer's",
        ("namespace", "value", "started_at"),
        (
            Column("namespace", TEXT, "namespace of the device's identifier"),
            Column("value", TEXT, "normalised value; a keyed hash where it is personal"),
            Column("started_at", TIME, "first anonymous event of the interval, UTC"),
            Column("ended_at", TIME, "last anonymous event of the interval, UTC"),
            Column("customer_id", TEXT, "whose they are"),
            Column("events", pa.int64(), "anonymous events in the interval"),
            Column(
                "rule",
                TEXT,
                "authenticated on the device: last before, first after, last of all; or nobody near: "
                "a customer of its own",
            ),
        ),
    ),
    Table(
        "accounts",
        "account, where accounts are the subject",
        ("account_id",),
        (
            Column("account_id", TEXT, "account; the customer_id of its touchpoints"),
            Column("namespace", TEXT, "namespace that names it"),
            Column("value", TEXT, "its name: the field's value, or the domain of an address"),
            Column("persons", pa.int64(), "persons whose own account it is"),
            Column("first_seen", TIME, "first event that bears it, UTC"),
            Column("last_seen", TIME, "last event that bears it, UTC"),
            Column("events", pa.int64(), "events that bear it"),
        ),
    ),
    Table(
        "identity_refusals",
        "identifier that ties nobody, pair of identifiers that was not united, or value refused on sight",
        ("namespace", "value", "beside_namespace", "beside_value"),
        (
            Column("namespace", TEXT, "namespace of the identifier; of a pair, of the stronger"),
            Column("value", TEXT, "normalised value; a keyed hash where it is personal"),
            Column("beside_namespace", TEXT, "the pair's other namespace; null for one identifier"),
            Column("beside_value", TEXT, "the pair's other value; null for one identifier"),
            Column(
                "reason",
                TEXT,
                "limit, crowded, shared or split; refused on sight: null-like, blocked, public domain",
            ),
            Column(
                "detail", TEXT, "which limit, how many it was seen with, how many events bear it"
            ),
            Column("first_seen", TIME, "first event with it, or with both, UTC"),
            Column("customers", pa.int64(), "customers that would have become one"),
            Column("identifiers", pa.int64(), "identifiers that these have"),
            Column("events", pa.int64(), "events that these have, but for those on shared devices"),
        ),
    ),
    Table(
        "identity_changes",
        "run x customer before x customer after, where identifiers changed hands",
        ("run_id", "old_customer_id", "new_customer_id"),
        (
            Column("run_id", TEXT, "run that changed it"),
            Column("changed_at", TIME, "when that run began, UTC"),
            Column("since_version", pa.int64(), "published version it is held against"),
            Column("old_customer_id", TEXT, "customer in that version; null for none"),
            Column("new_customer_id", TEXT, "customer since; null for none"),
            Column("kind", TEXT, "merged, split, moved, renamed, left out or joined"),
            Column("identifiers", pa.int64(), "identifiers that changed hands"),
        ),
        bookkeeping=True,
    ),
    Table(
        "touchpoint_accounting",
        "source",
        ("source",),
        (
            Column("source", TEXT, "feed"),
            Column("events", pa.int64(), "events accepted"),
            Column("touchpoints", pa.int64(), "touchpoints made of them"),
            Column(
                "folded_lines", pa.int64(), "events folded into the touchpoint of their receipt"
            ),
            Column("ignored", pa.int64(), "identified events that a rule leaves out"),
            Column("unidentified", pa.int64(), "events without a usable identifier"),
            Column("withdrawn", pa.int64(), "events of customers who had withdrawn consent"),
        ),
    ),
    Table(
        "unmatched_events",
        "source x channel x event_type that no touchpoint rule matched",
        ("source", "channel", "event_type"),
        (
            Column("source", TEXT, "feed"),
            Column("channel", TEXT, "channel"),
            Column("event_type", TEXT, "what the source calls the event"),
            Column("events", pa.int64(), "how many"),
        ),
    ),
    Table(
        "runs",
        "stage of a run",
        ("run_id", "stage"),
        (
            Column("run_id", TEXT, "run"),
            Column("stage", TEXT, "stage"),
            Column("started_at", TIME, "UTC"),
            Column("duration_s", pa.float64(), "wall time, seconds"),
            Column("rows", pa.int64(), "rows of its tables"),
            Column("bytes", pa.int64(), "bytes of the files it wrote"),
            Column("peak_memory_mb", pa.float64(), "peak memory of all its processes, MB"),
            Column("skipped", pa.bool_(), "nothing had changed"),
            Column(
                "counters",
                pa.map_(TEXT, pa.int64()),
                "counters of its Beam job; those of a step are <step>.elements and <step>.ms",
            ),
        ),
        bookkeeping=True,
    ),
)
