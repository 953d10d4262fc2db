"""Customers dealt into 64 groups: what lets sums over buckets still tell how sure they are.

An interval of a rate must know how much *customers* differ, for the journeys of one person are
alike. Drawing customers anew, as the bootstrap does, needs all of them at hand. Dealing each
customer by a hash into one of 64 groups keeps what matters: the groups are independent, alike, and
their counts are integers that buckets can add. From the spread of the groups' sums follows the
variance of anything computed from the total, as from the spread of single customers; with fewer
customers than groups they are the customers. The price is that the variance itself is known from
64 numbers only: an interval takes Student's t with one degree of freedom less than there are groups
instead of the normal.

The group depends on the customer alone, not on buckets, order or runs.

References
----------
.. [1] P. S. Kott, "The delete-a-group jackknife", Journal of Official Statistics 17 (2001),
   521-526.
.. [2] K. M. Wolter, *Introduction to Variance Estimation*, Springer 2007, chapter 2 (random groups).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from models.engine import query

__all__ = ["GROUPS", "customer_groups", "t95"]

GROUPS = 64
"""Number of groups."""


def customer_groups(customers: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Group of each customer, from the MD5 of its id.

    Parameters
    ----------
    customers : pa.Array of string
        Best without repeats: each is hashed.

    Returns
    -------
    ndarray of int64
        0 <= group < GROUPS.

    Examples
    --------
    >>> customer_groups(pa.array(["ann", "bob", "ann"])).tolist()
    [60, 28, 60]
    """
    sql = f"SELECT ((md5_number(customer) >> 64)::UBIGINT % {GROUPS})::BIGINT AS g FROM t"
    return query(sql, t=pa.table({"customer": customers}))["g"].to_numpy()


def t95(groups: ArrayLike) -> NDArray[np.float64]:
    """Half-width of a 95% interval in standard errors, where the variance comes from so many groups.

    >>> t95([2, 64]).round(2).tolist()
    [12.71, 2.0]
    """
    return student.ppf(0.975, np.maximum(np.asarray(groups) - 1, 1))
