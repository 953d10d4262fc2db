"""The tables of the lake: grain, key, and the meaning of every column.

This is the one source for Arrow schemas, for the comments in ``footpath.duckdb``, for the data
dictionary and for `footpath digest`. A table's columns are fixed but for two declared families, which
the configuration names: ``id_<namespace>`` (identifiers) and attributes (device, campaign ...).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

__all__ = ["TABLES", "Column", "Table", "table_schema"]

Family = Literal["identifiers", "attributes"]

TIME = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(18, 4)
TEXT = pa.string()


@dataclass(frozen=True)
class Column:
    """A column: name, Arrow type, meaning with unit; provenance is left out of the digest."""

    name: str
    type: pa.DataType
    comment: str
    provenance: bool = False


@dataclass(frozen=True)
class Table:
    """A table: one row per `grain`, unique by `key`."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    families: tuple[Family, ...] = ()
    bookkeeping: bool = field(default=False)
    """True where rows tell of runs, not of customers; such a table is left out of the digest."""


def _identifier_column(namespace: str) -> Column:
    return Column(f"id_{namespace}", TEXT, f"identifier in namespace {namespace}, normalised")


def _attribute_column(name: str) -> Column:
    return Column(name, TEXT, f"attribute {name}, as the source gave it")


def table_columns(
    table: Table, namespaces: tuple[str, ...] = (), attributes: tuple[str, ...] = ()
) -> tuple[Column, ...]:
    """All columns of a table for the namespaces and attributes that a configuration declares."""
    columns = table.columns
    if "identifiers" in table.families:
        columns += tuple(_identifier_column(name) for name in namespaces)
    if "attributes" in table.families:
        columns += tuple(_attribute_column(name) for name in attributes)
    return columns


def table_schema(
    name: str, namespaces: tuple[str, ...] = (), attributes: tuple[str, ...] = ()
) -> pa.Schema:
    """The Arrow schema of a table.

    >>> table_schema("sessions").field("session_duration_s").type
    DataType(double)
    """
    columns = table_columns(TABLES[name], namespaces, attributes)
    return pa.schema([pa.field(column.name, column.type) for column in columns])


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

_TOUCHPOINT = (
    Column("customer_id", TEXT, "resolved customer, or account where accounts are the subject"),
    Column("person_id", TEXT, "resolved person where accounts are the subject; else null"),
    Column("event_time", TIME, "when it happened, UTC"),
    Column("source", TEXT, "feed that told us of the event"),
    Column("event_id", TEXT, "id within the source; the receipt's id where its lines were folded"),
    Column("channel", TEXT, "where it happened"),
    Column("event_type", TEXT, "what the source calls the event"),
    Column(
        "touchpoint", TEXT, "what happened, in the map's vocabulary; 'other' if no rule matched"
    ),
    Column("stage", TEXT, "phase of the journey; 'other' if no rule matched"),
    Column("session_id", TEXT, "session it belongs to"),
    Column("session_step", pa.int32(), "1-based position in the session"),
    Column("journey_id", TEXT, "journey it belongs to"),
    Column("step", pa.int32(), "1-based position in the journey"),
    Column("dwell_s", pa.float64(), "seconds to the journey's next touchpoint; null at its last"),
    Column("converts", pa.bool_(), "whether this touchpoint is a conversion"),
    Column("page", TEXT, "page or screen path, without query"),
    Column("transaction_id", TEXT, "order or receipt"),
    Column("value", MONEY, "money moved, in `currency`; refunds are negative"),
    Column("currency", TEXT, "ISO 4217 code of `value`"),
    Column("csat", pa.float64(), "satisfaction answer scaled to 0..1"),
    Column("nps", pa.float64(), "net promoter answer, 0..10"),
    Column("sentiment", pa.float64(), "sentiment of a text, -1..1"),
    Column("lines", pa.int32(), "source events folded into this touchpoint (lines of a receipt)"),
)

_SPAN = (
    Column("customer_id", TEXT, "resolved customer"),
    Column("started_at", TIME, "time of the first touchpoint, UTC"),
    Column("ended_at", TIME, "time of the last touchpoint, UTC"),
    Column("touchpoints", pa.int32(), "number of touchpoints"),
    Column("entry_channel", TEXT, "channel of the first touchpoint"),
    Column("entry_touchpoint", TEXT, "first touchpoint"),
    Column("exit_touchpoint", TEXT, "last touchpoint"),
)

_EDGE_MEASURES = (
    Column("count", pa.int64(), "how often the move was made"),
    Column("journeys", pa.int64(), "journeys that made it"),
    Column("customers", pa.int64(), "customers who made it"),
)

_DWELL = (
    Column("dwell_p10_s", pa.float64(), "10% quantile of dwell time, seconds (1% relative error)"),
    Column("dwell_p50_s", pa.float64(), "median dwell time, seconds (1% relative error)"),
    Column("dwell_p90_s", pa.float64(), "90% quantile of dwell time, seconds (1% relative error)"),
)


def _score(name: str, comment: str) -> tuple[Column, ...]:
    return (
        Column(name, pa.float64(), f"{comment}; null if nobody answered"),
        Column(f"{name}_answers", pa.int64(), "number of answers"),
        Column(f"{name}_low", pa.float64(), f"95% interval of {name}, low end"),
        Column(f"{name}_high", pa.float64(), f"95% interval of {name}, high end"),
    )


def _follower(name: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_journeys", pa.int64(), f"journeys with a {name} after a visit here"),
        Column(f"{name}_p", pa.float64(), f"{name}_journeys / journeys"),
        Column(f"{name}_low", pa.float64(), "95% Wilson interval, low end"),
        Column(f"{name}_high", pa.float64(), "95% Wilson interval, high end"),
    )


_SLICE = (
    Column("level", TEXT, "what a node is: stage, touchpoint, channel or session"),
    Column("segment", TEXT, "attribute the journeys were sliced by; 'all' for none"),
    Column("segment_value", TEXT, "value of that attribute; 'all' for none"),
)

_MEMBERSHIP = (
    Column("persona_id", TEXT, "persona; 'undetermined' if too short or too unsure"),
    Column("confidence", pa.float64(), "posterior of the likeliest; null if there are no kinds"),
    Column("likeliest_id", TEXT, "most probable persona, however unsure"),
    Column("second_id", TEXT, "second most probable persona"),
    Column("second_confidence", pa.float64(), "its posterior"),
)

_ALL_TABLES = (
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
        ("source", "event_id", "reason"),
        (
            *_EVENT,
            Column("file_id", TEXT, "file it was read from (ingest_ledger)", provenance=True),
            Column("reason", TEXT, "why it is held: in_future, too_old"),
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
        "identifier that ties nobody, or pair of identifiers that was not united",
        ("namespace", "value", "beside_namespace", "beside_value"),
        (
            Column("namespace", TEXT, "namespace of the identifier; of a pair, of the stronger"),
            Column("value", TEXT, "normalised value; a keyed hash where it is personal"),
            Column("beside_namespace", TEXT, "the pair's other namespace; null for one identifier"),
            Column("beside_value", TEXT, "the pair's other value; null for one identifier"),
            Column("reason", TEXT, "limit, crowded, shared or split"),
            Column("detail", TEXT, "which limit, or how many it was seen with"),
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
        "touchpoints",
        "event of a resolved customer",
        ("customer_id", "event_time", "source", "event_id"),
        _TOUCHPOINT,
        ("attributes",),
    ),
    Table(
        "sessions",
        "session",
        ("session_id",),
        (
            Column("session_id", TEXT, "session"),
            *_SPAN,
            Column("session_duration_s", pa.float64(), "last minus first touchpoint, seconds"),
            Column("converted", pa.bool_(), "whether it holds a conversion"),
            Column("value", MONEY, "money moved in it"),
        ),
        ("attributes",),
    ),
    Table(
        "journeys",
        "journey",
        ("journey_id",),
        (
            Column("journey_id", TEXT, "journey"),
            *_SPAN,
            Column("sessions", pa.int32(), "number of sessions it touches"),
            Column("channels", pa.int32(), "number of distinct channels"),
            Column("converted", pa.bool_(), "whether it holds a conversion"),
            Column("converted_at", TIME, "time of its first conversion, UTC"),
            Column("value", MONEY, "money moved by its conversions and refunds"),
            Column("path", TEXT, "stages in order, repeats collapsed, joined by ' > '"),
        ),
        ("attributes",),
    ),
    Table(
        "stages",
        "level x segment x node",
        ("level", "segment", "segment_value", "node"),
        (
            *_SLICE,
            Column(
                "node",
                TEXT,
                "stage, touchpoint, channel, or session (entry channel: stage it reached)",
            ),
            Column("visits", pa.int64(), "arrivals at the node, equal to departures"),
            Column("journeys", pa.int64(), "journeys that visit it"),
            Column("customers", pa.int64(), "customers who visit it"),
            *_DWELL,
            Column(
                "settled",
                pa.int64(),
                "visits on the way to the first conversion, older than the journey gap at the "
                "watermark: nothing that follows them is hidden",
            ),
            Column(
                "settled_converted",
                pa.int64(),
                "settled visits whose journey converted; their share of `settled` far from "
                "conversion_p says that more of the way matters than the chain remembers",
            ),
            Column(
                "conversion_p",
                pa.float64(),
                "probability that a visit before the journey's conversion leads to it (absorbing "
                "chain of the settled moves); null if none is settled",
            ),
            Column("conversion_low", pa.float64(), "95% interval over customers, low end"),
            Column("conversion_high", pa.float64(), "95% interval over customers, high end"),
            Column(
                "chain_order",
                pa.int32(),
                "1; 2 where the move depends on the node before, too, as held-out customers show; "
                "0 if nothing is settled",
            ),
            Column(
                "steps_to_conversion",
                pa.float64(),
                "expected moves from here to the conversion, of those who convert",
            ),
            Column(
                "time_to_conversion_s",
                pa.float64(),
                "expected seconds from here to the conversion, of those who convert",
            ),
            Column("drop_offs", pa.int64(), "journeys that ended here without conversion"),
            Column("opens", pa.int64(), "journeys that stand here, not ended"),
            Column("drop_off_p", pa.float64(), "drop_offs / (visits - opens)"),
            Column("drop_off_low", pa.float64(), "95% Wilson interval, low end"),
            Column("drop_off_high", pa.float64(), "95% Wilson interval, high end"),
            *_score("csat", "mean satisfaction answer, 0..1"),
            *_score("nps", "net promoter score, -100..100"),
            *_score("sentiment", "mean sentiment, -1..1"),
            *_follower("return"),
            *_follower("complaint"),
        ),
    ),
    Table(
        "transitions",
        "level x segment x ordered pair of nodes",
        ("level", "segment", "segment_value", "source_node", "target_node"),
        (
            *_SLICE,
            Column("source_node", TEXT, "node left, or START"),
            Column("target_node", TEXT, "node reached, or CONVERSION, DROP_OFF, OPEN"),
            *_EDGE_MEASURES,
            Column("denominator", pa.int64(), "departures from source_node, without those to OPEN"),
            Column("probability", pa.float64(), "count / denominator; null for OPEN"),
            Column("probability_low", pa.float64(), "95% Wilson interval, low end"),
            Column("probability_high", pa.float64(), "95% Wilson interval, high end"),
            *_DWELL,
            Column(
                "settled",
                pa.int64(),
                "such moves on the way to the first conversion (which moves to CONVERSION, whatever "
                "follows), from visits older than the journey gap at the watermark",
            ),
        ),
    ),
    Table(
        "attribution",
        "model x level x node",
        ("model", "level", "node"),
        (
            Column("model", TEXT, "how credit is shared; an association, never a cause"),
            Column("level", TEXT, "touchpoint, channel, or an attribute such as campaign"),
            Column("node", TEXT, "node credited; (direct): converted at once"),
            Column("credit", pa.float64(), "share of all conversions, 0..1"),
            Column("credit_low", pa.float64(), "95% interval over customers, low end"),
            Column("credit_high", pa.float64(), "95% interval over customers, high end"),
            Column(
                "conversions", pa.decimal128(18, 6), "credited; sums exactly to all conversions"
            ),
            Column("value", MONEY, "value credited; sums exactly to that of all conversions"),
            Column("value_low", pa.float64(), "95% interval over customers, low end"),
            Column("value_high", pa.float64(), "95% interval over customers, high end"),
            Column(
                "journeys", pa.int64(), "settled, ended journeys with the node before a conversion"
            ),
            Column(
                "plain_lift",
                pa.float64(),
                "their conversion rate / that of the others; flatters what comes late or often",
            ),
            Column(
                "lift",
                pa.float64(),
                "conversion rate of those who come to the node / of those as far who go elsewhere "
                "(Mantel-Haenszel by position); an association, no cause",
            ),
            Column("lift_low", pa.float64(), "95% interval over customers, low end"),
            Column("lift_high", pa.float64(), "95% interval over customers, high end"),
        ),
    ),
    Table(
        "pain_points",
        "finding, ranked",
        ("rank",),
        (
            Column("rank", pa.int32(), "1 is the firmest and largest"),
            Column(
                "kind",
                TEXT,
                "kind of finding: excess_drop_off, return ...; opportunity is a good one",
            ),
            Column("level", TEXT, "stage or touchpoint"),
            Column("node", TEXT, "where it hurts"),
            Column(
                "target", TEXT, "where people are sent from there; null where that is no matter"
            ),
            Column("segment", TEXT, "segment it was found in; 'all' for everybody"),
            Column("segment_value", TEXT, "value of that segment"),
            Column("begins", pa.date32(), "first day of an incident, UTC; null if it has no dates"),
            Column("ends", pa.date32(), "its last day; null if it has none, or is still going on"),
            Column("unit", TEXT, "of measured and baseline: share, seconds, score (0..1) or ratio"),
            Column("measured", pa.float64(), "rate, or mean, found"),
            Column("measured_low", pa.float64(), "its 95% interval (Wilson for shares), low end"),
            Column("measured_high", pa.float64(), "its 95% interval (Wilson for shares), high end"),
            Column("baseline", pa.float64(), "what it is held against"),
            Column("denominator", pa.int64(), "journeys, visits or answers behind it"),
            Column(
                "excess_low", pa.float64(), "share of them for whom it is worse, low end of 95%"
            ),
            Column("p_value", pa.float64(), "one-sided test of the rate against the baseline"),
            Column("q_value", pa.float64(), "p_value after Benjamini-Hochberg control"),
            Column("cost_journeys", pa.float64(), "journeys hit beyond the baseline"),
            Column("cost_value", pa.float64(), "expected value of conversions missing with them"),
            Column("sentence", TEXT, "the finding in words"),
            Column("also", TEXT, "what goes along with it, one a line"),
            Column("journeys_query", TEXT, "SQL that lists journeys that were hit"),
            Column("query", TEXT, "SQL over footpath.duckdb that shows it"),
        ),
    ),
    Table(
        "segment_differences",
        "segment value held against all other journeys",
        ("segment", "segment_value"),
        (
            Column("segment", TEXT, "attribute of journeys"),
            Column("segment_value", TEXT, "its value"),
            Column("journeys", pa.int64(), "ended journeys with it"),
            Column("conversion_rate", pa.float64(), "share of them that converted"),
            Column("others_rate", pa.float64(), "share of all other ended journeys that did"),
            Column("difference", pa.float64(), "conversion_rate - others_rate"),
            Column("difference_low", pa.float64(), "95% interval (Newcombe), low end"),
            Column("difference_high", pa.float64(), "95% interval (Newcombe), high end"),
            Column("p_value", pa.float64(), "two-sided test that there is no difference"),
            Column("q_value", pa.float64(), "p_value after Benjamini-Hochberg control"),
        ),
    ),
    Table(
        "personas",
        "persona",
        ("persona_id",),
        (
            Column("persona_id", TEXT, "p1, p2 ..., kept from run to run, or no_structure"),
            Column("place", pa.int32(), "1 is the largest by share"),
            Column("name", TEXT, "short name made from what sets it apart, unique", True),
            Column("customers", pa.int64(), "customers assigned; undetermined ones are nobody's"),
            Column("journeys", pa.int64(), "journeys assigned; undetermined ones are nobody's"),
            Column("share", pa.float64(), "share of all customers: their mean posterior"),
            Column("share_low", pa.float64(), "95% interval, low end"),
            Column("share_high", pa.float64(), "95% interval, high end"),
            Column("conversion_rate", pa.float64(), "converted / (converted + lapsed) journeys"),
            Column("medoid_journey_id", TEXT, "a real journey that represents it"),
            Column("exemplar_2_journey_id", TEXT, "a second one"),
            Column("exemplar_3_journey_id", TEXT, "a third one"),
            Column("grade", TEXT, "how firm it is: strong, usable, tentative; none"),
            Column("stability", pa.float64(), "agreement (ARI) of all personas of two half fits"),
            Column("firmness", pa.float64(), "mean overlap (Jaccard) with its like in half fits"),
            Column("portrait", TEXT, "what it is, in sentences of persona_features"),
        ),
    ),
    Table(
        "persona_features",
        "persona x feature",
        ("persona_id", "kind", "feature"),
        (
            Column("persona_id", TEXT, "persona"),
            Column("kind", TEXT, "size, touchpoint, move, channel, stage, pace, outcome ..."),
            Column("feature", TEXT, "touchpoint, move 'a > b' with START and END, channel ..."),
            Column("unit", TEXT, "what the values are: share of journeys, mean a journey ..."),
            Column("value", pa.float64(), "of the persona"),
            Column(
                "value_others",
                pa.float64(),
                "of all other personas together; of attributes the number tested",
            ),
            Column("z", pa.float64(), "difference in standard errors; log-odds for shares"),
            Column("q_value", pa.float64(), "of an attribute's test, Benjamini-Hochberg control"),
            Column("rank", pa.int32(), "1 is the most distinctive"),
            Column("sentence", TEXT, "the number in words"),
        ),
    ),
    Table(
        "journey_personas",
        "journey",
        ("journey_id",),
        (
            Column("journey_id", TEXT, "journey"),
            Column("customer_id", TEXT, "its customer"),
            *_MEMBERSHIP,
        ),
    ),
    Table(
        "customer_personas",
        "customer",
        ("customer_id",),
        (
            Column("customer_id", TEXT, "resolved customer"),
            Column("journeys", pa.int64(), "journeys it is judged by"),
            *_MEMBERSHIP,
        ),
    ),
    Table(
        "persona_models",
        "fit of the personas",
        ("fit_id",),
        (
            Column("fit_id", TEXT, "the run that fitted it"),
            Column("fitted_at", TIME, "watermark of the data it was fitted to, UTC"),
            Column("data_hash", TEXT, "hash of the sample it was fitted to"),
            Column("method", TEXT, "how personas were sought"),
            Column("customers", pa.int64(), "customers in the sample"),
            Column("journeys", pa.int64(), "journeys in the sample"),
            Column("personas", pa.int64(), "personas found; 0 for no structure"),
            Column("grade", TEXT, "strong, usable, tentative; none"),
            Column("stability", pa.float64(), "agreement (ARI) of fits on halves of the sample"),
            Column("loyalty", pa.float64(), "how often a journey follows its customer's persona"),
            Column("gain_bits", pa.float64(), "held-out gain over one chain, bits a touchpoint"),
            Column("log_likelihood", pa.float64(), "of the sample, nats a touchpoint"),
            Column("reason", TEXT, "why there is no structure"),
            Column("model", TEXT, "the model as JSON; of the newest fit only"),
        ),
        bookkeeping=True,
    ),
    Table(
        "persona_changes",
        "change of the personas from one published version to the next",
        ("run_id", "change", "persona_id", "other_id"),
        (
            Column("run_id", TEXT, "the run that saw it"),
            Column("change", TEXT, "born, drifted, renamed, died, merged, migrated"),
            Column("persona_id", TEXT, "persona"),
            Column("other_id", TEXT, "where to, if merged or migrated; else empty"),
            Column("distance", pa.float64(), "Hellinger distance of what it does, 0..1"),
            Column("customers", pa.int64(), "customers it is about"),
            Column("share_before", pa.float64(), "share of all customers before"),
            Column("share_after", pa.float64(), "share of all customers now"),
            Column("sentence", TEXT, "the change in words"),
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

TABLES: dict[str, Table] = {table.name: table for table in _ALL_TABLES}
"""Every table of the lake, by name."""
