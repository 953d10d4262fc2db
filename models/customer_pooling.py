"""Personas of customers and of their single journeys, from one mixture.

A journey of three touchpoints tells little; the ten journeys of its customer tell a lot. If customers
keep to one persona, their journeys may be pooled: the likelihood of a customer is the product of
those of the journeys, and for chains that means adding up the counts of moves.

How far customers do keep to one persona is measured, not assumed. Each customer has a persona z,
drawn by the shares pi. A journey follows it with probability *loyalty*, and otherwise draws a
persona of its own, again by pi. With L[j, k] the likelihood of journey j under persona k and
M[j] = sum_k pi[k] L[j, k],

    p(journeys | z = k) = product over j of  D[j, k] = loyalty L[j, k] + (1 - loyalty) M[j].

Loyalty 0 is a mixture of single journeys, loyalty 1 one of customers; what lies between is a model
with two levels, in the manner of [1]_. Bayes' rule gives the posteriors of both levels:

    customer:  g[c, k]  ~  pi[k] product over j of D[j, k]
    journey:   r[j, k]  =  L[j, k] (loyalty g[c, k] / D[j, k] + (1 - loyalty) pi[k] sum_m g[c, m] / D[j, m])

The loyalty is the one of greatest likelihood; journeys whose customer has no other say nothing
about it.

References
----------
.. [1] J. K. Vermunt (2003), "Multilevel Latent Class Models", Sociological Methodology 33(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp
from scipy.optimize import minimize_scalar

from models.journey_paths import encode_sorted

__all__ = ["Customers", "estimate_loyalty", "two_level_posteriors"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MOST_LOYAL = 0.999
_MOST_CUSTOMERS = 10_000


@dataclass(frozen=True)
class Customers:
    """Whose the journeys are.

    Attributes
    ----------
    ids : pa.StringArray of N, ascending
    of : int64 array of n, the customer 0..N-1 of each journey
    """

    ids: pa.StringArray
    of: IntArray

    @classmethod
    def read(cls, steps: pa.Table, journey_ids: pa.StringArray) -> Self:
        """Whose each of `journey_ids` (ascending) is, from steps (`journey_id`, `customer_id`).

        >>> steps = pa.table({"journey_id": ["b", "a", "b"], "customer_id": ["x", "y", "x"]})
        >>> Customers.read(steps, pa.array(["a", "b"])).of.tolist()
        [1, 0]
        """
        ids, customer = encode_sorted(steps["customer_id"])
        _, journey = encode_sorted(steps["journey_id"])
        of = np.empty(len(journey_ids), np.int64)
        of[journey] = customer
        return cls(ids, of)

    @property
    def journeys(self) -> IntArray:
        """Journeys of each customer."""
        return np.bincount(self.of, minlength=len(self.ids))

    def touchpoints(self, lengths: IntArray) -> IntArray:
        """Touchpoints of each customer, from those of the journeys."""
        return np.bincount(self.of, weights=lengths, minlength=len(self.ids)).astype(np.int64)

    @property
    def membership(self) -> sp.csr_array:
        """Indicator of shape (N, n): times an array over journeys, it sums by customer."""
        n = len(self.of)
        return sp.csr_array((np.ones(n), (self.of, np.arange(n))), shape=(len(self.ids), n))


def estimate_loyalty(
    log_likelihood: FloatArray, log_weights: FloatArray, customers: Customers
) -> float:
    """How often a journey follows its customer's persona, 0..1; 1 if no customer has two journeys.

    Parameters
    ----------
    log_likelihood : float array of shape (n, K)
        Of each journey under each persona.
    log_weights : float array of shape (K,)
        Log of the shares.
    customers : Customers
        Whose the n journeys are.

    Examples
    --------
    >>> certain = np.log(np.array([[0.99, 0.01]] * 4 + [[0.01, 0.99]] * 4))
    >>> shares = np.log([0.5, 0.5])
    >>> pairs = Customers(pa.array(["a", "b", "c", "d"]), np.array([0, 0, 1, 1, 2, 2, 3, 3]))
    >>> mixed = Customers(pa.array(["a", "b", "c", "d"]), np.array([0, 1, 2, 3, 0, 1, 2, 3]))
    >>> estimate_loyalty(certain, shares, pairs) > 0.9, estimate_loyalty(certain, shares, mixed) < 0.1
    (True, True)
    """
    several = np.flatnonzero(customers.journeys[customers.of] > 1)
    if not len(several):
        return 1.0
    chosen, of = np.unique(customers.of[several], return_inverse=True)
    few = several[of < _MOST_CUSTOMERS]
    told = Customers(
        customers.ids.take(pa.array(chosen[:_MOST_CUSTOMERS])), of[of < _MOST_CUSTOMERS]
    )
    rows = log_likelihood[few]

    def loss(loyalty: float) -> float:
        """Negative log likelihood of the customers."""
        _, log_joint = _levels(rows, log_weights, told, loyalty)
        return -float(np.logaddexp.reduce(log_joint, axis=1).sum())

    found = minimize_scalar(
        loss, bounds=(0.0, _MOST_LOYAL), method="bounded", options={"xatol": 1e-3}
    )
    return round(float(found.x), 3)


def two_level_posteriors(
    log_likelihood: FloatArray, log_weights: FloatArray, customers: Customers, loyalty: float
) -> tuple[FloatArray, FloatArray]:
    """Posteriors of the journeys, shape (n, K), and of their customers, shape (N, K).

    All journeys of a customer must be among the n.
    """
    densities, log_joint = _levels(log_likelihood, log_weights, customers, loyalty)
    likelihood, mixed = densities
    log_joint -= log_joint.max(axis=1, keepdims=True)
    of_customers = np.exp(log_joint)
    of_customers /= of_customers.sum(axis=1, keepdims=True)
    told = of_customers[customers.of] / mixed
    stray = (1.0 - loyalty) * told.sum(axis=1, keepdims=True) * np.exp(log_weights)
    of_journeys = likelihood * (loyalty * told + stray)
    return of_journeys / of_journeys.sum(axis=1, keepdims=True), of_customers


def _levels(
    log_likelihood: FloatArray, log_weights: FloatArray, customers: Customers, loyalty: float
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """L and D, each row up to a factor of its own, and the log joint density of the customers.

    The factors are put back into the log joint density.
    """
    top = log_likelihood.max(axis=1, keepdims=True)
    likelihood = np.exp(log_likelihood - top)
    # No matrix product: what BLAS makes of a row may depend on how many there are.
    average = (likelihood * np.exp(log_weights)).sum(axis=1)
    mixed = np.maximum(loyalty * likelihood + (1.0 - loyalty) * average[:, None], 1e-300)
    log_joint = customers.membership @ (np.log(mixed) + top) + log_weights
    return (likelihood, mixed), log_joint
