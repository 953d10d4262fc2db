"""Tables of journeys, and of the graph that they make."""

from __future__ import annotations

import pyarrow as pa

from contracts.table import MONEY, TEXT, TIME, Column, Table

__all__ = ["JOURNEY_TABLES"]

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
        Column(
            f"{name}_journeys",
            pa.int64(),
            f"journeys with a {name} (graph.{name}s) after a visit here",
        ),
        Column(f"{name}_p", pa.float64(), f"{name}_journeys / journeys"),
        Column(f"{name}_low", pa.float64(), "95% Wilson interval, low end"),
        Column(f"{name}_high", pa.float64(), "95% Wilson interval, high end"),
    )


_SLICE = (
    Column("level", TEXT, "what a node is: stage, touchpoint, channel or session"),
    Column("segment", TEXT, "attribute the journeys were sliced by; 'all' for none"),
    Column("segment_value", TEXT, "value of that attribute; 'all' for none"),
)

JOURNEY_TABLES = (
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
            *_follower("contact"),
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
            Column("begins_earliest", pa.date32(), "95% interval of the first day, low end"),
            Column("begins_latest", pa.date32(), "95% interval of the first day, high end"),
            Column("ends", pa.date32(), "its last day; null if it has none, or is still going on"),
            Column("ends_earliest", pa.date32(), "95% interval of the last day, low end"),
            Column("ends_latest", pa.date32(), "95% interval of the last day, high end"),
            Column("unit", TEXT, "of measured and baseline: share, seconds, score (0..1) or ratio"),
            Column("measured", pa.float64(), "rate, or mean, found"),
            Column("measured_low", pa.float64(), "its 95% interval (Wilson for shares), low end"),
            Column("measured_high", pa.float64(), "its 95% interval (Wilson for shares), high end"),
            Column("baseline", pa.float64(), "what it is held against"),
            Column(
                "denominator",
                pa.int64(),
                "what it is of: answers (unit score), departures (excess_drop_off without days), else "
                "journeys",
            ),
            Column(
                "excess_low", pa.float64(), "share of them for whom it is worse, low end of 95%"
            ),
            Column("p_value", pa.float64(), "one-sided test of the rate against the baseline"),
            Column("q_value", pa.float64(), "p_value after Benjamini-Hochberg control"),
            Column("cost_journeys", pa.float64(), "journeys hit beyond the baseline"),
            Column(
                "cost_value",
                pa.float64(),
                "value of conversions missing with them; null if not known",
            ),
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
)
