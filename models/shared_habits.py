"""How much personas have in common at each choice, and the prior that says so.

A prior draws every choice of a persona towards what all do (`models.markov_mixture`). How strongly it
should is in the data: at a choice that all make alike, a small persona had better borrow from the
others; at one that sets them apart, it had better not. Given the shares m[f] of all and the counts
n[f, k] of persona k at a choice, the strength s has the marginal likelihood

    product over k of  G(s) / G(s + N[k])  *  product over f of  G(s m[f] + n[f, k]) / G(s m[f])

with G the gamma function and N[k] the sum of n[f, k] (the Dirichlet-multinomial or Polya distribution;
[1]_ does this for the rows of one chain). At each choice the strength of greatest posterior density is
taken from a grid; choices that tell little of it stay near 30.

References
----------
.. [1] D. J. C. MacKay, L. C. B. Peto (1995), "A hierarchical Dirichlet language model", Natural
   Language Engineering 1(3).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from models.markov_mixture import (
    CountData,
    MixtureParameters,
    expectation_maximisation,
    posteriors,
)

__all__ = ["settle", "share_habits"]

FloatArray = npt.NDArray[np.float64]

_STRENGTHS = np.geomspace(1.0, 3_000.0, 18)
_CENTRE, _SPREAD = 30.0, 1.5
"""Median of the strengths before the counts speak, and standard deviation of their logarithm."""

_ROUNDS = 2


def share_habits(data: CountData, responsibilities: FloatArray) -> CountData:
    """Give the prior, at each choice, the strength that the personas' counts speak for.

    Parameters
    ----------
    data : CountData of u rows
    responsibilities : float array of shape (u, K), whose each row is

    Examples
    --------
    Of two choices between two things, the first is made alike, the second is not.

    >>> import scipy.sparse as sp
    >>> rows = sp.csr_array(np.array([[52.0, 48.0, 90.0, 10.0], [48.0, 52.0, 10.0, 90.0]]))
    >>> data = CountData.merge(rows, np.array([0, 0, 1, 1]), prior_strength=10.0)
    >>> alike, apart = share_habits(data, np.eye(2)).pseudo_counts.reshape(2, 2).sum(axis=1)
    >>> bool(alike > 30 > apart)
    True
    """
    counts = data.rows.T @ (responsibilities * data.weights[:, None])
    totals = data.totals(counts)
    shares = data.pseudo_counts / data.totals(data.pseudo_counts)[data.origins]
    density = np.empty((len(_STRENGTHS), len(totals)))
    for place, strength in enumerate(_STRENGTHS):
        prior = (strength * shares)[:, None]
        told = data.totals(gammaln(prior + counts) - gammaln(prior))
        told += gammaln(strength) - gammaln(strength + totals)
        surprise = np.log(strength / _CENTRE) / _SPREAD
        density[place] = told.sum(axis=1) - 0.5 * surprise**2
    best = _STRENGTHS[density.argmax(axis=0)]
    return replace(data, pseudo_counts=best[data.origins] * shares)


def settle(data: CountData, parameters: MixtureParameters) -> MixtureParameters:
    """Let EM converge under the prior of what the personas have in common."""
    for _ in range(_ROUNDS):
        data = share_habits(data, posteriors(parameters.joint(data.rows))[0])
        parameters, _ = expectation_maximisation(data, parameters, max_iter=100, tol=1e-5)
    return parameters
