"""Segments that convert unlike everybody else.

Every value of every segment is held against all other journeys: the share that converts of those that
have ended, its difference with Newcombe's 95% interval, a two-sided test, and Benjamini-Hochberg's
control over all values. A difference is neither a pain nor its cause: new customers are new.
`footpath compare` shows where two segments part.

References
----------
.. [1] R. G. Newcombe, "Interval estimation for the difference between independent proportions",
   Statistics in Medicine 17 (1998), 873-890 (method 10).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.stats import norm

from contracts.schemas import table_schema
from models.absorbing_chain import START
from models.intervals import benjamini_hochberg, wilson_interval
from models.pain_points.daily import StepCounts

__all__ = ["segment_differences"]


def segment_differences(counts: StepCounts, min_volume: int) -> pa.Table:
    """Compare the conversion rate of every segment value with that of all other journeys.

    Parameters
    ----------
    counts : StepCounts
    min_volume : int
        Least number of ended journeys in the segment value, and outside it.

    Returns
    -------
    pa.Table
        `segment_differences` of `contracts.schemas`, most certain differences first.
    """
    schema = table_schema("segment_differences")
    decided, unconverted = counts.daily("decided"), counts.daily("unconverted")
    everybody = ("all", "all", START, "")
    keys = [key for key in decided.keys if key[0] != "all" and key[2] == START]
    ended, missed = (table.of(keys).sum(axis=1) for table in (decided, unconverted))
    (all_ended,), (all_missed,) = (t.of([everybody]).sum(axis=1) for t in (decided, unconverted))
    enough = np.flatnonzero(np.minimum(ended, all_ended - ended) >= min_volume)
    if not len(enough):
        return schema.empty_table()
    n, n0 = ended[enough], all_ended - ended[enough]
    x = n - missed[enough]
    x0 = (all_ended - all_missed) - x
    rate, rest = x / n, x0 / n0
    (low, high), (rest_low, rest_high) = wilson_interval(x, n), wilson_interval(x0, n0)
    pooled = (x + x0) / (n + n0)
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-300) * (1 / n + 1 / n0))
    p_value = 2 * norm.sf(np.abs(rate - rest) / error)
    columns = {
        "segment": [keys[i][0] for i in enough],
        "segment_value": [keys[i][1] for i in enough],
        "journeys": n.astype(np.int64),
        "conversion_rate": rate,
        "others_rate": rest,
        "difference": rate - rest,
        "difference_low": rate - rest - np.hypot(rate - low, rest_high - rest),
        "difference_high": rate - rest + np.hypot(high - rate, rest - rest_low),
        "p_value": p_value,
        "q_value": benjamini_hochberg(p_value),
    }
    table = pa.table({f.name: pa.array(columns[f.name], f.type) for f in schema}, schema)
    return table.sort_by([(name, "ascending") for name in ("p_value", "segment", "segment_value")])
