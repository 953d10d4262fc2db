"""What became of customers between two published versions: merges, splits, renames.

Customer ids are a function of the events (docs/adr/0005), so nothing here decides anything: identifiers known to
both versions are held side by side, and where their customers differ the pair of customers is listed with what
happened.

========  =====================================================================
merged    the old customer went into one that others went into, too
split     the old customer's identifiers are in several customers now
moved     both: a part of it went into another
renamed   the same identifiers under another id: an older event arrived, or the oldest identifier left
left out  an identifier became shared, or says nothing now
joined    an identifier that was shared or said nothing belongs to a customer now
========  =====================================================================
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.distinct import ascending_rows
from models.identity import customer_ids

__all__ = ["KINDS", "changes"]

KINDS = ("merged", "split", "moved", "renamed", "left out", "joined")


def changes(
    old_hashes: np.ndarray,
    old_customers: np.ndarray,
    new_hashes: np.ndarray,
    new_customers: np.ndarray,
) -> pa.Table:
    """Pairs of customers, of the older version and the newer, whose identifiers changed hands.

    Parameters
    ----------
    old_hashes, new_hashes : ndarray of uint64
        The identifiers of each version, each once.
    old_customers, new_customers : ndarray of uint64
        Their customers; 0 for none.

    Returns
    -------
    pa.Table
        `old_customer_id`, `new_customer_id`, `kind`, `identifiers` (how many).

    Examples
    --------
    >>> both = np.array([1, 2], np.uint64)
    >>> changes(both, both, both, np.array([1, 1], np.uint64)).to_pylist()[0]["kind"]
    'merged'
    """
    _, before, after = np.intersect1d(
        old_hashes, new_hashes, assume_unique=True, return_indices=True
    )
    old, new = old_customers[before], new_customers[after]
    pairs, counts = ascending_rows(old, new)
    old, new = pairs[:, 0], pairs[:, 1]
    real = (old != 0) & (new != 0)
    goes_to = _degree(old, old[real])
    comes_from = _degree(new, new[real])
    kind = np.select(
        [old == 0, new == 0, (goes_to > 1) & (comes_from > 1), comes_from > 1, goes_to > 1],
        [5, 4, 2, 0, 1],
        3,
    )
    changed = old != new
    return pa.table(
        {
            "old_customer_id": customer_ids(old[changed]),
            "new_customer_id": customer_ids(new[changed]),
            "kind": pa.array([KINDS[number] for number in kind[changed].tolist()], pa.string()),
            "identifiers": counts[changed].astype(np.int64),
        }
    )


def _degree(customers: np.ndarray, of_pairs: np.ndarray) -> np.ndarray:
    """In how many of the pairs each customer is."""
    distinct, counts = np.unique(of_pairs, return_counts=True)
    place = np.searchsorted(distinct, customers)
    known = np.append(distinct, np.uint64(0))[place] == customers
    return np.where(known, np.append(counts, 0)[place], 0)
