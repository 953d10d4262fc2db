"""A sample of journeys that every worker draws alike.

A journey's number is a hash of its id; the sample of size s is the s journeys with the smallest
numbers. It is as good as random, yet the same on every run, for any cut into buckets and any
order of rows. Two passes draw it from buckets: each gives its smallest numbers (`sample_hashes`),
the s-th smallest of all is the bound (`sample_bound`), and each bucket hands over the steps up to
the bound (`sampled_steps`). Only journeys long enough to tell a pattern are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.engine import query
from models.journey_paths import path_corpus, path_vocabulary

__all__ = ["sample_bound", "sample_hashes", "sample_steps", "sampled_steps"]

HashArray = npt.NDArray[np.uint64]

_PATH_COLUMNS = ["journey_id", "step", "touchpoint", "channel", "dwell_s"]


def sample_hashes(steps: pa.Table, size: int, min_touchpoints: int) -> HashArray:
    """List the `size` smallest numbers of a bucket's journeys, ascending.

    A journey counts if it has `min_touchpoints` or more, repeats of one touchpoint collapsed.
    """
    return np.sort(_numbers(_long_enough(steps, min_touchpoints)))[:size]


def sample_bound(hashes: Iterable[HashArray], size: int) -> int:
    """Find the greatest number in the sample of `size`, from all buckets' `sample_hashes`."""
    first = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))[:size]
    return int(first[-1]) if len(first) else 0


def sampled_steps(steps: pa.Table, bound: int, min_touchpoints: int) -> pa.Table:
    """Keep the steps of the bucket's journeys whose numbers do not exceed `bound`."""
    ids = steps["journey_id"].cast(pa.string())
    drawn = ids.unique()
    drawn = drawn.filter(pa.array(_numbers(drawn) <= np.uint64(bound)))
    few = steps.select(_PATH_COLUMNS).filter(pc.is_in(ids, value_set=drawn))
    eligible = _long_enough(few, min_touchpoints)
    return few.filter(pc.is_in(few["journey_id"].cast(pa.string()), value_set=eligible))


def sample_steps(steps: pa.Table, size: int, min_touchpoints: int) -> pa.Table:
    """Draw the steps of the sample of one table, in one go.

    >>> steps = pa.table({"journey_id": ["b", "a", "b"], "step": [1, 1, 2],
    ...     "touchpoint": ["ad", "ad", "buy"], "channel": ["web"] * 3,
    ...     "dwell_s": [3.0, None, None]})
    >>> sample_steps(steps, size=9, min_touchpoints=2)["journey_id"].to_pylist()
    ['b', 'b']
    """
    bound = sample_bound([sample_hashes(steps, size, min_touchpoints)], size)
    return sampled_steps(steps, bound, min_touchpoints)


def _long_enough(steps: pa.Table, min_touchpoints: int) -> pa.StringArray:
    """Ids of the journeys that count."""
    corpus = path_corpus(steps, path_vocabulary(steps))
    return corpus.journey_ids.filter(pa.array(corpus.lengths >= min_touchpoints))


def _numbers(ids: pa.StringArray) -> HashArray:
    """Hash each id to its number: 64 bits of its MD5."""
    journeys = pa.table({"place": np.arange(len(ids)), "journey_id": ids})
    sql = "SELECT md5_number_lower(journey_id) AS number FROM journeys ORDER BY place"
    numbered = query(sql, journeys=journeys)
    return numbered["number"].to_numpy().astype(np.uint64)
