"""Paths hold what the journeys did, and counts hold what the paths did."""

from __future__ import annotations

from collections import Counter
from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.journey_paths import (
    GAP_EDGES_S,
    MoveSpace,
    PathVocabulary,
    count_moves,
    path_corpus,
    path_vocabulary,
)
from models.tfidf_kmeans import count_ngrams

COLUMNS = ("journey_id", "step", "touchpoint", "channel", "dwell_s")

STEPS = st.dictionaries(
    st.text("xyz", min_size=1, max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["web", "store"]), st.floats(0, 1e6, width=32)
        ),
        min_size=1,
        max_size=6,
    ),
    max_size=6,
)


def as_table(journeys: dict[str, list[tuple[str, str, float]]]) -> pa.Table:
    """Steps of journeys; the last of each has no dwell time."""
    rows = [
        (journey, i + 1, touchpoint, channel, dwell_s if i + 1 < len(steps) else None)
        for journey, steps in journeys.items()
        for i, (touchpoint, channel, dwell_s) in enumerate(steps)
    ]
    types = (pa.string(), pa.int32(), pa.string(), pa.string(), pa.float64())
    return pa.table(
        {name: pa.array([row[i] for row in rows], types[i]) for i, name in enumerate(COLUMNS)}
    )


def expected_counts(steps: list[tuple[str, str, float]]) -> Counter[tuple[str, ...]]:
    """Moves, channels and gaps of one journey, counted one by one."""
    runs = [list(run) for _, run in groupby(steps, key=lambda step: step[0])]
    nodes = ["START", *(run[0][0] for run in runs), "END"]
    counts = Counter(("move", *pair) for pair in pairwise(nodes))
    counts.update(("channel", run[0][0], run[0][1]) for run in runs)
    for run in runs[:-1]:
        gap_s = sum(step[2] for step in run)
        counts["gap", run[0][0], str(sum(gap_s >= edge for edge in GAP_EDGES_S))] += 1
    return counts


def column_labels(vocabulary: PathVocabulary) -> list[tuple[str, ...]]:
    """The columns of `count_moves`, spelt out."""
    touchpoints = vocabulary.touchpoints
    return [
        *(("move", a, b) for a in (*touchpoints, "START") for b in (*touchpoints, "END")),
        *(("channel", a, c) for a in touchpoints for c in vocabulary.channels),
        *(("gap", a, str(g)) for a in touchpoints for g in range(len(GAP_EDGES_S) + 1)),
    ]


@given(STEPS, st.randoms(use_true_random=False))
def test_counts_equal_those_made_one_by_one_in_any_order_of_rows(journeys, random):
    table = as_table(journeys)
    places = list(range(table.num_rows))
    random.shuffle(places)
    table = table.take(pa.array(places, pa.int64()))
    vocabulary = path_vocabulary(table)
    corpus = path_corpus(table, vocabulary)
    assert corpus.journey_ids.to_pylist() == sorted(journeys)
    labels = column_labels(vocabulary)
    assert len(labels) == MoveSpace(vocabulary).size
    for row, journey in zip(count_moves(corpus).toarray(), sorted(journeys), strict=True):
        found = {labels[i]: row[i] for i in np.flatnonzero(row)}
        assert found == dict(expected_counts(journeys[journey]))


def test_plain_and_dictionary_encoded_and_chunked_strings_are_the_same():
    table = as_table(
        {"b": [("ad", "web", 5.0), ("buy", "store", 9.0)], "a": [("buy", "store", 1.0)] * 2}
    )
    encoded = pa.concat_tables(
        table.slice(i, 1).set_column(
            2, "touchpoint", table.slice(i, 1)["touchpoint"].dictionary_encode()
        )
        for i in range(table.num_rows)
    )
    one, other = (count_moves(path_corpus(t, path_vocabulary(t))) for t in (table, encoded))
    assert path_vocabulary(encoded) == PathVocabulary(("ad", "buy"), ("store", "web"))
    assert (one != other).nnz == 0


def test_what_the_vocabulary_lacks_is_left_out():
    table = as_table({"a": [("ad", "web", 5.0), ("new", "web", 5.0), ("ad", "fax", 5.0)]})
    corpus = path_corpus(table, PathVocabulary(("ad",), ("web",)))
    space = MoveSpace(corpus.vocabulary)
    assert corpus.lengths.tolist() == [3]
    moves = count_moves(corpus).toarray()[0, : space.n_moves]
    assert {space.name(i) for i in np.flatnonzero(moves)} == {"START > ad", "ad > END"}


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_gives_empty_counts(rows):
    table = as_table({"a": [("ad", "web", 1.0)]}).slice(0, rows)
    counts = count_moves(path_corpus(table, PathVocabulary(("ad",), ("web",))))
    assert counts.shape[0] == rows


@given(STEPS)
def test_ngrams_equal_those_counted_in_text(journeys):
    table = as_table(journeys)
    corpus = path_corpus(table, PathVocabulary(tuple("abc"), ("store", "web")))
    grams = [
        *"abc",
        *(a + b for a in "abc" for b in "abc"),
        *(a + b + c for a in "abc" for b in "abc" for c in "abc"),
    ]
    for row, journey in zip(count_ngrams(corpus).toarray(), sorted(journeys), strict=True):
        path = "".join(touchpoint for touchpoint, _ in groupby(s[0] for s in journeys[journey]))
        expected = [sum(path.startswith(gram, i) for i in range(len(path))) for gram in grams]
        assert row.tolist() == expected
