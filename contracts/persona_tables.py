"""Tables of personas: what they are, who they are, and what became of them."""

from __future__ import annotations

import pyarrow as pa

from contracts.table import TEXT, TIME, Column, Table

__all__ = ["PERSONA_TABLES"]

_MEMBERSHIP = (
    Column("persona_id", TEXT, "persona; 'undetermined' if too short or too unsure"),
    Column("confidence", pa.float64(), "posterior of the likeliest; null if there are no kinds"),
    Column("likeliest_id", TEXT, "most probable persona, however unsure"),
    Column("second_id", TEXT, "second most probable persona"),
    Column("second_confidence", pa.float64(), "its posterior"),
)

PERSONA_TABLES = (
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
)
