"""A sample of journeys that every worker draws alike.

A journey's number is a hash of its id; the sample of size s is the s journeys with the smallest
numbers. It is as good as random, yet the same on every run, for any cut into buckets and any order
of rows. Two passes draw it from buckets: each gives its smallest numbers (`sample_hashes`), the s-th
smallest of all is the bound (`sample_bound`), and each bucket hands over the steps up to the
bound (`sampled_steps`). Only journeys long enough to tell a pattern are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.journey_paths import path_corpus, path_vocabulary

__all__ = ["sample_bound", "sample_hashes", "sample_steps", "sampled_steps"]

HashArray = npt.NDArray[np.uint64]

_PATH_COLUMNS = ["journey_id", "step", "touchpoint", "channel", "dwell_s"]


def sample_hashes(steps: pa.Table, size: int, min_touchpoints: int) -> HashArray:
    """The numbers, ascending, of the at most `size` first journeys of a bucket.

    A journey counts if it has `min_touchpoints` or more, repeats of one touchpoint collapsed.
    """
    _, hashes = _eligible(steps, min_touchpoints)
    return np.sort(hashes)[:size]


def sample_bound(hashes: Iterable[HashArray], size: int) -> int:
    """The greatest number in the sample of `size`, from all buckets' `sample_hashes`."""
    first = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))[:size]
    return int(first[-1]) if len(first) else 0


def sampled_steps(steps: pa.Table, bound: int, min_touchpoints: int) -> pa.Table:
    """The steps of the bucket's journeys whose numbers do not exceed `bound`."""
    ids, hashes = _eligible(steps, min_touchpoints)
    chosen = ids.filter(pa.array(hashes <= np.uint64(bound)))
    mine = pc.is_in(steps["journey_id"].cast(pa.string()), value_set=chosen)
    return steps.select(_PATH_COLUMNS).filter(mine)


def sample_steps(steps: pa.Table, size: int, min_touchpoints: int) -> pa.Table:
    """The steps of the sample of one table, in one go.

    >>> steps = pa.table({"journey_id": ["b", "a", "b"], "step": [1, 1, 2],
    ...     "touchpoint": ["ad", "ad", "buy"], "channel": ["web"] * 3,
    ...     "dwell_s": [3.0, None, None]})
    >>> sample_steps(steps, size=9, min_touchpoints=2)["journey_id"].to_pylist()
    ['b', 'b']
    """
    bound = sample_bound([sample_hashes(steps, size, min_touchpoints)], size)
    return sampled_steps(steps, bound, min_touchpoints)


def _eligible(steps: pa.Table, min_touchpoints: int) -> tuple[pa.StringArray, HashArray]:
    """Ids, ascending, and numbers of the journeys that are long enough."""
    corpus = path_corpus(steps, path_vocabulary(steps))
    journeys = pa.table(
        {"journey_id": corpus.journey_ids.filter(pa.array(corpus.lengths >= min_touchpoints))}
    )
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("journeys", journeys)
        numbered = connection.sql(
            "SELECT journey_id, md5_number_lower(journey_id) AS number FROM journeys ORDER BY ALL"
        ).to_arrow_table()
    ids = numbered["journey_id"].combine_chunks()
    return ids, numbered["number"].to_numpy().astype(np.uint64)
