"""Identifiers that say nothing: seen with implausibly many others.

An address typed in by every cashier, a test login, a till: such a value ties strangers. What gives it away is the
number of distinct identifiers of one other namespace that it was seen with. Of a stronger namespace few are
plausible (an e-mail address with fifty logins is nobody's), of a weaker one many are (a login on hundreds of
browsers, whose owner clears cookies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.distinct import ascending

__all__ = ["Crowded", "crowded_identifiers"]


@dataclass(frozen=True)
class Crowded:
    """Identifiers with too many partners, each once."""

    nodes: np.ndarray
    namespace: np.ndarray
    """Index of the namespace of the partners; the first of several."""
    partners: np.ndarray
    """How many distinct ones."""


def crowded_identifiers(
    columns: Sequence[np.ndarray], size: int, max_stronger: int, max_weaker: int
) -> Crowded:
    """Identifiers seen with more than `max_stronger` (`max_weaker`) of one stronger (weaker) namespace.

    Parameters
    ----------
    columns : sequence of int ndarray of shape (n_links,)
        Node of each link in each namespace, strongest namespace first; -1 for none.
    size : int
        Number of nodes.

    Examples
    --------
    >>> logins, browsers = np.array([0, 1, 2, 0]), np.array([3, 3, 3, 4])
    >>> crowded_identifiers([logins, browsers], 5, max_stronger=2, max_weaker=2).nodes.tolist()
    [3]
    """
    found: dict[int, tuple[int, int]] = {}
    for mine, nodes in enumerate(columns):
        seen = np.bincount(nodes[nodes >= 0], minlength=size)
        for other, partners in enumerate(columns):
            if other == mine:
                continue
            most = max_stronger if other < mine else max_weaker
            suspects = seen > most  # as many links are needed to see as many partners
            if not suspects.any():
                continue
            rows = np.flatnonzero(np.append(suspects, False)[nodes] & (partners >= 0))
            pairs = ascending(nodes[rows].astype(np.int64) * size + partners[rows])
            crowd = np.bincount(pairs // size, minlength=size)
            for node in np.flatnonzero(crowd > most).tolist():
                found.setdefault(node, (other, int(crowd[node])))
    order = sorted(found)
    told = np.array([found[node] for node in order], np.int64).reshape(-1, 2)
    return Crowded(np.array(order, np.int64), told[:, 0], told[:, 1])
