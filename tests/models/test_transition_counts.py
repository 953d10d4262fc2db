"""Transition counts and tables against SQL that knows nothing of how they are made."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.schemas import table_schema
from models.counts import COUNTS_SCHEMA, merge_counts
from models.transition_counts import count_transitions
from models.transition_tables import finish

EDGES_SQL = """
WITH s AS (
    SELECT *, journeys.customer_id AS customer, coalesce(device, '(none)') AS device_
    FROM steps JOIN journeys USING (journey_id)
), n AS (
    UNPIVOT s ON stage, touchpoint, channel INTO NAME level VALUE node
), walk AS (
    SELECT level, journey_id, customer, device_, step, dwell_s, node AS a,
        coalesce(lead(node) OVER w, CASE outcome WHEN 'converted' THEN 'CONVERSION'
            WHEN 'lapsed' THEN 'DROP_OFF' WHEN 'open' THEN 'OPEN' END) AS b
    FROM n WINDOW w AS (PARTITION BY level, journey_id ORDER BY step)
    UNION ALL
    SELECT level, journey_id, customer, device_, 0, NULL, 'START', arg_min(node, step)
    FROM n GROUP BY ALL
), sliced AS (
    SELECT *, 'all' AS segment, 'all' AS segment_value FROM walk
    UNION ALL SELECT *, 'device', device_ FROM walk
), edges AS (
    SELECT level, segment, segment_value, a AS source_node, b AS target_node, count(*) AS count,
        count(DISTINCT journey_id) AS journeys, count(DISTINCT customer) AS customers,
        quantile_disc(dwell_s, 0.5) AS lower_median
    FROM sliced GROUP BY ALL
)
SELECT *, sum(if(target_node = 'OPEN', 0, count))
    OVER (PARTITION BY level, segment, segment_value, source_node)::BIGINT AS denominator
FROM edges ORDER BY ALL
"""

NODES_SQL = """
WITH s AS (
    SELECT *, journeys.customer_id AS customer, coalesce(device, '(none)') AS device_,
        step = max(step) OVER (PARTITION BY journey_id) AS is_last
    FROM steps JOIN journeys USING (journey_id)
), n AS (
    UNPIVOT s ON stage, touchpoint, channel INTO NAME level VALUE node
), sliced AS (
    SELECT *, 'all' AS segment, 'all' AS segment_value FROM n
    UNION ALL SELECT *, 'device', device_ FROM n
)
SELECT level, segment, segment_value, node, count(*) AS visits,
    count(DISTINCT journey_id) AS journeys, count(DISTINCT customer) AS customers,
    avg(csat) AS csat, count(csat) AS csat_answers,
    count(*) FILTER (is_last AND outcome = 'lapsed') AS drop_offs,
    count(*) FILTER (is_last AND outcome = 'open') AS opens,
FROM sliced GROUP BY ALL ORDER BY ALL
"""


def world(
    walks: list[tuple[int, str, str | None, str]], seed: int = 0
) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys of walks (customer, outcome, device, touchpoints as letters), shuffled."""
    rng = np.random.default_rng(seed)
    steps = [
        {
            "journey_id": f"j{j}",
            "step": i + 1,
            "touchpoint": letter,
            "stage": "low" if letter < "c" else "high",
            "channel": "web" if letter in "ace" else "store",
            "dwell_s": float(rng.lognormal(3, 3)) if i + 1 < len(path) else None,
            "csat": float(rng.integers(0, 5) / 4) if rng.random() < 0.4 else None,
        }
        for j, (_, _, _, path) in enumerate(walks)
        for i, letter in enumerate(path)
    ]
    journeys = [
        {"journey_id": f"j{j}", "customer_id": f"c{c}", "outcome": outcome, "device": device}
        for j, (c, outcome, device, _) in enumerate(walks)
    ]
    tables = [
        pa.Table.from_pylist(steps, schema=STEPS),
        pa.Table.from_pylist(journeys, schema=JOURNEYS),
    ]
    return tuple(t.take(rng.permutation(t.num_rows)) for t in tables)  # type: ignore[return-value]


TEXT = pa.string()
JOURNEYS = pa.schema([(n, TEXT) for n in ("journey_id", "customer_id", "outcome", "device")])
STEPS = pa.schema(
    [
        *((n, TEXT) for n in ("journey_id", "touchpoint", "stage", "channel")),
        ("step", pa.int32()),
        ("dwell_s", pa.float64()),
        ("csat", pa.float64()),
    ]
)
WALKS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["converted", "lapsed", "open"]),
        st.sampled_from(["mobile", "desktop", None]),
        st.text("abcde", min_size=1, max_size=7),
    ),
    max_size=12,
)


def test_two_journeys_counted_by_hand() -> None:
    """Self moves count, an open journey is in no denominator, and null is a value."""
    steps, journeys = world([(1, "converted", "mobile", "aab"), (1, "open", None, "a")])
    _, transitions = finish(
        count_transitions(steps.drop(["stage", "channel"]), journeys, ["device"])
    )
    rows = {
        (r["segment_value"], r["source_node"], r["target_node"]): (
            r["count"], r["journeys"], r["customers"], r["denominator"], r["probability"],
        )
        for r in transitions.to_pylist()
    }  # fmt: skip
    assert rows == {
        ("all", "START", "a"): (2, 2, 1, 2, 1.0),
        ("all", "a", "a"): (1, 1, 1, 2, 0.5),
        ("all", "a", "b"): (1, 1, 1, 2, 0.5),
        ("all", "a", "OPEN"): (1, 1, 1, 2, None),
        ("all", "b", "CONVERSION"): (1, 1, 1, 1, 1.0),
        ("mobile", "START", "a"): (1, 1, 1, 1, 1.0),
        ("mobile", "a", "a"): (1, 1, 1, 2, 0.5),
        ("mobile", "a", "b"): (1, 1, 1, 2, 0.5),
        ("mobile", "b", "CONVERSION"): (1, 1, 1, 1, 1.0),
        ("(none)", "START", "a"): (1, 1, 1, 1, 1.0),
        ("(none)", "a", "OPEN"): (1, 1, 1, 0, None),
    }


@settings(max_examples=25, deadline=None)
@given(WALKS)
def test_tables_equal_sql(walks: list[tuple[int, str, str | None, str]]) -> None:
    """Every count of both tables equals its recomputation in SQL, rows in order of key."""
    steps, journeys = world(walks)
    stages, transitions = finish(count_transitions(steps, journeys, ["device"]))
    assert stages.schema == table_schema("stages")
    assert transitions.schema == table_schema("transitions")
    con = duckdb.connect()
    con.register("steps", steps)
    con.register("journeys", journeys)
    expected = con.sql(EDGES_SQL).to_arrow_table()
    for name in set(expected.column_names) - {"lower_median"}:
        assert transitions[name].to_pylist() == expected[name].to_pylist(), name
    medians = zip(
        transitions["dwell_p50_s"].to_pylist(), expected["lower_median"].to_pylist(), strict=True
    )
    for found, exact in medians:
        assert found == (None if exact is None else pytest.approx(exact, rel=0.0101))
    expected = con.sql(NODES_SQL).to_arrow_table()
    for name in expected.column_names:
        if name == "csat":
            for found, exact in zip(
                stages[name].to_pylist(), expected[name].to_pylist(), strict=True
            ):
                assert found == (None if exact is None else pytest.approx(exact, abs=1e-9))
        else:
            assert stages[name].to_pylist() == expected[name].to_pylist(), name


@settings(max_examples=15, deadline=None)
@given(WALKS, st.integers(1, 4))
def test_counts_of_buckets_add_up(
    walks: list[tuple[int, str, str | None, str]], buckets: int
) -> None:
    """Buckets of customers, merged in any order and grouping, give the counts of the whole."""
    steps, journeys = world(walks)
    counted = count_transitions(steps, journeys, ["device"])
    whole = merge_counts([counted])
    assert len(whole) == np.count_nonzero(counted["count"].to_numpy()), "a key twice"
    owner = np.array([int(c[1:]) % buckets for c in journeys["customer_id"].to_pylist()])
    partials = []
    for bucket in range(buckets):
        mine = journeys.filter(pa.array(owner == bucket, pa.bool_()))
        ids = set(mine["journey_id"].to_pylist())
        chosen = steps.filter(
            pa.array([i in ids for i in steps["journey_id"].to_pylist()], pa.bool_())
        )
        partials.append(count_transitions(chosen, mine, ["device"]))
    assert merge_counts(reversed(partials)).equals(whole)
    assert merge_counts([merge_counts(partials[:2]), *partials[2:]]).equals(whole)


def test_what_was_not_merged_is_added() -> None:
    """Tables of counts one below the other finish as their sum does."""
    one, other = (
        count_transitions(*world([(customer, "converted", "mobile", path)]), ["device"])
        for customer, path in ((1, "aab"), (2, "ab"))
    )
    apart = finish(pa.concat_tables([other, one]))
    assert all(a.equals(b) for a, b in zip(apart, finish(merge_counts([one, other])), strict=True))


@settings(max_examples=15, deadline=None)
@given(WALKS)
def test_flow_is_conserved(walks: list[tuple[int, str, str | None, str]]) -> None:
    """At every node of every slice as many arrive as leave; each journey starts and ends once."""
    _, transitions = finish(count_transitions(*world(walks), ["device"]))
    con = duckdb.connect()
    con.register("transitions", transitions)
    unequal = con.sql("""
        WITH flow AS (
            SELECT level, segment, segment_value, count, count AS left_, 0 AS reached,
                source_node AS node FROM transitions
            UNION ALL
            SELECT level, segment, segment_value, count, 0, count,
                target_node FROM transitions
        )
        SELECT level, segment, segment_value,
            if(node IN ('START', 'CONVERSION', 'DROP_OFF', 'OPEN'), 'ends', node) AS node
        FROM flow GROUP BY ALL HAVING sum(left_) <> sum(reached)
    """).fetchall()
    assert unequal == []


def test_dictionaries_and_their_leftovers_change_nothing() -> None:
    """Dictionary-encoded text, with texts that no row uses, gives the same counts."""
    steps, journeys = world([(1, "converted", "mobile", "aab"), (2, "lapsed", None, "dc")])
    more = pa.concat_tables([steps, world([(0, "open", None, "x")] * 5)[0]])
    encoded = pa.table(
        [c.dictionary_encode() if c.type == TEXT else c for c in more.columns], more.column_names
    ).slice(0, steps.num_rows)
    assert count_transitions(encoded, journeys, []).equals(count_transitions(steps, journeys, []))


def test_small_slices_are_left_out() -> None:
    """A slice with fewer customers than asked for is in neither table."""
    steps, journeys = world(
        [
            (1, "converted", "mobile", "ab"),
            (2, "lapsed", "mobile", "a"),
            (3, "open", "desktop", "a"),
        ]
    )
    counts = count_transitions(steps, journeys, ["device"])
    for table in finish(counts, min_customers=2):
        assert set(table["segment_value"].to_pylist()) == {"all", "mobile"}
    for table in finish(counts, min_customers=4):
        assert table.num_rows == 0


def test_nothing_counts_to_nothing() -> None:
    """Without steps there are no rows, in the right schema."""
    counts = count_transitions(STEPS.empty_table(), JOURNEYS.empty_table(), ["device"])
    assert counts.schema == COUNTS_SCHEMA
    assert [t.num_rows for t in (counts, *finish(counts))] == [0, 0, 0]


def test_what_does_not_belong_together_is_refused() -> None:
    """Steps without journey, journeys without steps, strange outcomes, doubled step numbers."""
    steps, journeys = world([(1, "converted", "mobile", "ab"), (2, "lapsed", None, "a")])
    with pytest.raises(ValueError, match="same journeys"):
        count_transitions(steps, journeys.slice(1), [])
    with pytest.raises(ValueError, match="same journeys"):
        count_transitions(steps.slice(0, 0), journeys, [])
    with pytest.raises(ValueError, match="two steps"):
        count_transitions(pa.concat_tables([steps, steps]), journeys, [])
    with pytest.raises(ValueError, match="slice of everybody"):
        count_transitions(steps, journeys, ["all"])
    with pytest.raises(ValueError, match="outcomes"):
        count_transitions(*world([(1, "bought", None, "a")]), [])
    whole = count_transitions(steps, journeys, [])
    with pytest.raises(ValueError, match="arrivals and departures differ"):
        finish(whole.filter(pa.compute.not_equal(whole["target_node"], "CONVERSION")))
