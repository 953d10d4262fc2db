"""Satisfaction: what is said, what follows, and that silence is neither."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from models.transition_counts import count_transitions
from models.transition_tables import finish


def tables(rng: np.random.Generator, n: int = 200) -> tuple[pa.Table, pa.Table]:
    """Random journeys of three to six touchpoints, with some answers of every kind."""
    lengths = rng.integers(3, 7, n)
    owner = np.repeat(np.arange(n), lengths)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + 1

    def some(values: np.ndarray) -> pa.Array:
        return pa.array(values.astype(float), mask=rng.random(len(values)) < 0.7)

    steps = pa.table(
        {
            "journey_id": [f"j{i}" for i in owner],
            "step": step,
            "touchpoint": rng.choice(["look", "buy", "ask", "return", "complain"], len(owner)),
            "dwell_s": pa.nulls(len(owner), pa.float64()),
            "csat": some(rng.integers(0, 5, len(owner)) / 4),
            "nps": some(rng.integers(0, 11, len(owner))),
            "sentiment": some(rng.uniform(-1, 1, len(owner))),
        }
    )
    ids = [f"j{i}" for i in range(n)]
    journeys = pa.table({"journey_id": ids, "customer_id": ids, "outcome": ["lapsed"] * n})
    return steps, journeys


def test_means_and_followers_equal_sql() -> None:
    """Scores, numbers of answers, and journeys with a return or contact later, by node."""
    steps, journeys = tables(np.random.default_rng(4))
    counts = count_transitions(steps, journeys, [], returns=["return"], contacts=["complain"])
    found = {row["node"]: row for row in finish(counts)[0].to_pylist()}
    con = duckdb.connect()
    con.register("steps", steps)
    rows = con.sql("""
        WITH later AS (
            SELECT *, coalesce(bool_or(touchpoint = 'return') OVER w, false) AS returned,
                coalesce(bool_or(touchpoint = 'complain') OVER w, false) AS complained
            FROM steps WINDOW w AS (PARTITION BY journey_id ORDER BY step
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
        )
        SELECT touchpoint, avg(csat), count(csat),
            100.0 * (count_if(nps >= 9) - count_if(nps <= 6)) / count(nps), count(nps),
            avg(sentiment), count(sentiment),
            count(DISTINCT journey_id) FILTER (returned),
            count(DISTINCT journey_id) FILTER (complained)
        FROM later GROUP BY touchpoint
    """).fetchall()
    assert len(rows) == len(found) == 5
    for node, csat, n_csat, nps, n_nps, mood, n_mood, returned, complained in rows:
        row = found[node]
        means = [row[name] for name in ("csat", "nps", "sentiment")]
        assert means == pytest.approx([csat, nps, mood], abs=1e-6)
        assert [row[f"{name}_answers"] for name in ("csat", "nps", "sentiment")] == [
            n_csat, n_nps, n_mood,
        ]  # fmt: skip
        assert (row["return_journeys"], row["contact_journeys"]) == (returned, complained)
        assert row["return_p"] == returned / row["journeys"]
        for name in ("csat", "nps", "sentiment"):
            assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
        assert row["nps_low"] >= -100 and row["nps_high"] <= 100


def test_silence_is_not_neutrality() -> None:
    """Where nobody answered there is no score, where nobody could return the share is 0."""
    steps, journeys = tables(np.random.default_rng(4), 3)
    silent = steps.drop_columns(["csat", "nps", "sentiment"])
    for row in finish(count_transitions(silent, journeys, []))[0].to_pylist():
        assert row["csat"] is row["nps"] is row["sentiment"] is row["nps_low"] is None
        assert row["csat_answers"] == row["nps_answers"] == row["return_journeys"] == 0


def test_intervals_of_scores_cover_the_truth() -> None:
    """Of 400 rooms of forty answers, about 95% of the intervals hold the true net promoter score."""
    rng = np.random.default_rng(8)
    n, each = 400, 40
    p = np.array([0.05, 0, 0, 0, 0, 0.1, 0.1, 0.15, 0.2, 0.25, 0.15])
    truth = 100 * (p[9:].sum() - p[:7].sum())
    ids = [f"j{i}" for i in range(n * each)]
    steps = pa.table(
        {
            "journey_id": ids,
            "step": np.ones(n * each, np.int64),
            "touchpoint": [f"room{i % n}" for i in range(n * each)],
            "dwell_s": pa.nulls(n * each, pa.float64()),
            "nps": rng.choice(11, n * each, p=p).astype(float),
        }
    )
    journeys = pa.table({"journey_id": ids, "customer_id": ids, "outcome": ["lapsed"] * len(ids)})
    rows = finish(count_transitions(steps, journeys, []))[0].to_pylist()
    held = np.mean([row["nps_low"] <= truth <= row["nps_high"] for row in rows])
    assert 0.92 <= held <= 0.98
