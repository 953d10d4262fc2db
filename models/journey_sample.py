"""A sample of customers that every worker draws alike.

A customer's number is a hash of the id; the sample of size s is the s customers with the smallest
numbers, each with all its journeys. It is as good as random, yet the same on every run, for any cut
into buckets and any order of rows; and when customers join, nearly all of the sample stays. Two
passes draw it from buckets: each gives its smallest numbers (`sample_hashes`), the s-th smallest of
all is the bound (`sample_bound`), and each bucket hands over the steps up to the bound
(`sampled_steps`). Only customers with touchpoints enough to tell a pattern are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.customer_pooling import Customers
from models.engine import query
from models.journey_paths import path_corpus, path_vocabulary

__all__ = [
    "hash_numbers",
    "long_enough",
    "sample_bound",
    "sample_hashes",
    "sample_steps",
    "sampled_steps",
]

HashArray = npt.NDArray[np.uint64]

_PATH_COLUMNS = ["journey_id", "customer_id", "step", "touchpoint", "channel", "dwell_s"]


def sample_hashes(steps: pa.Table, size: int, min_touchpoints: int) -> HashArray:
    """List the `size` smallest numbers of a bucket's customers, ascending.

    A customer counts who has `min_touchpoints` or more, repeats within a journey collapsed.
    """
    return np.sort(hash_numbers(long_enough(steps, min_touchpoints)))[:size]


def sample_bound(hashes: Iterable[HashArray], size: int) -> int:
    """Find the greatest number in the sample of `size`, from all buckets' `sample_hashes`."""
    first = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))[:size]
    return int(first[-1]) if len(first) else 0


def sampled_steps(steps: pa.Table, bound: int, min_touchpoints: int) -> pa.Table:
    """Keep the steps of the bucket's customers whose numbers do not exceed `bound`."""
    ids = steps["customer_id"].cast(pa.string())
    drawn = ids.unique()
    drawn = drawn.filter(pa.array(hash_numbers(drawn) <= np.uint64(bound)))
    few = steps.select(_PATH_COLUMNS).filter(pc.is_in(ids, value_set=drawn))
    eligible = long_enough(few, min_touchpoints)
    return few.filter(pc.is_in(few["customer_id"].cast(pa.string()), value_set=eligible))


def sample_steps(steps: pa.Table, size: int, min_touchpoints: int) -> pa.Table:
    """Draw the steps of the sample of one table, in one go.

    >>> steps = pa.table({"journey_id": ["b", "a", "b"], "customer_id": ["x", "y", "x"],
    ...     "step": [1, 1, 2], "touchpoint": ["ad", "ad", "buy"], "channel": ["web"] * 3,
    ...     "dwell_s": [3.0, None, None]})
    >>> sample_steps(steps, size=9, min_touchpoints=2)["journey_id"].to_pylist()
    ['b', 'b']
    """
    bound = sample_bound([sample_hashes(steps, size, min_touchpoints)], size)
    return sampled_steps(steps, bound, min_touchpoints)


def hash_numbers(ids: pa.StringArray) -> HashArray:
    """Hash each id to its number: 64 bits of its MD5."""
    every = pa.table({"place": np.arange(len(ids)), "id": ids})
    sql = "SELECT (md5_number(id) >> 64)::UBIGINT AS number FROM every ORDER BY place"
    numbered = query(sql, every=every)
    return numbered["number"].to_numpy().astype(np.uint64)


def long_enough(steps: pa.Table, min_touchpoints: int) -> pa.StringArray:
    """Ids of the customers that count: who has `min_touchpoints` or more, repeats within a journey collapsed."""
    corpus = path_corpus(steps, path_vocabulary(steps))
    customers = Customers.read(steps, corpus.journey_ids)
    touchpoints = customers.touchpoints(corpus.lengths)
    return customers.ids.filter(pa.array(touchpoints >= min_touchpoints))
