"""Links: the distinct combinations of identifiers in a set of events.

Identity is a matter of which identifiers occur together, and far fewer combinations occur than events.
A file of events keeps the number of its link on every row; who the customer is, is then found for links and
gathered by rows (docs/adr/0003).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.dictionaries import codes_of

__all__ = ["link_events"]


def link_events(events: pa.Table, identifiers: list[str]) -> tuple[np.ndarray, pa.Table]:
    """Number the distinct combinations of identifiers.

    Parameters
    ----------
    events : pa.Table
        `event_time` and the identifier columns, dictionary-encoded.

    Returns
    -------
    codes : ndarray of int32
        Link of each row.
    links : pa.Table
        One row a link: the identifiers, `first_seen`, `last_seen`, `events`.
    """
    codes = np.zeros(len(events), np.int64)
    firsts = np.zeros(min(1, len(events)), np.int64)
    for name in identifiers:
        column = events[name].combine_chunks()
        combined = codes * (len(column.dictionary) + 1) + codes_of(column) + 1
        _, firsts, codes = np.unique(combined, return_index=True, return_inverse=True)
    times = pa.table({"link": codes.astype(np.int32), "time": events["event_time"]})
    seen = (
        times.group_by("link")
        .aggregate([("time", "min"), ("time", "max"), ("time", "count")])
        .sort_by("link")
    )
    columns = {
        name: pc.cast(events[name].take(pa.array(firsts)), pa.string()) for name in identifiers
    }
    columns |= {
        "first_seen": seen["time_min"],
        "last_seen": seen["time_max"],
        "events": seen["time_count"],
    }
    return codes.astype(np.int32), pa.table(columns)
