"""Consent of customers as a step function of time: withdrawn, it ends what may be made of later events.

A statement says of a person that consent was granted or withdrawn at a time. What holds at a moment is the last
statement at or before it; of statements at one moment the withdrawal holds. Who never withdrew is not asked again:
sources decide record by record what needs consent (`contracts.config.Consent`).

The function depends on the set of statements alone, not on how or when they were delivered.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.distinct import ascending

__all__ = ["Withdrawals", "consent_schema"]


def consent_schema(namespaces: tuple[str, ...]) -> pa.Schema:
    """Statements about consent: of whom, when, and whether it is granted."""
    about = [("source", pa.string()), ("event_id", pa.string()), ("stated_us", pa.int64())]
    identifiers = [(f"id_{name}", pa.string()) for name in namespaces]
    return pa.schema([*about, ("granted", pa.bool_()), *identifiers])


class Withdrawals:
    """When customers' consent was withdrawn.

    Parameters
    ----------
    customer : ndarray of uint64
        Of each statement; 0 for nobody.
    time_us : ndarray of int64
        When it was made.
    granted : ndarray of bool
        Whether it grants consent; else it withdraws it.
    entirely : bool
        A customer whose last statement is a withdrawal has withdrawn consent for all that was before, too.

    Examples
    --------
    >>> said = Withdrawals(
    ...     np.array([7, 7, 8], np.uint64), np.array([10, 20, 10]), np.array([False, True, False])
    ... )
    >>> said.hold(np.array([7, 7, 7, 8, 9], np.uint64), np.array([9, 10, 20, 99, 99])).tolist()
    [False, True, False, True, False]
    """

    def __init__(
        self, customer: np.ndarray, time_us: np.ndarray, granted: np.ndarray, entirely: bool = False
    ) -> None:
        said = customer != 0
        customer, time_us, granted = customer[said], time_us[said], granted[said]
        order = np.lexsort((~granted, time_us, customer))  # the last of a moment holds
        customer, time_us, granted = customer[order], time_us[order], granted[order]
        if entirely:
            last = np.ones(len(customer), bool)
            last[:-1] = customer[1:] != customer[:-1]
            customer, granted = customer[last], granted[last]
            time_us = np.full(len(customer), np.iinfo(np.int64).min)
        self._customers, owner = np.unique(customer, return_inverse=True)
        self._times = ascending(time_us)
        self._keys = self._key(owner, np.searchsorted(self._times, time_us))
        self._granted = granted

    def _key(self, owner: np.ndarray, moment: np.ndarray) -> np.ndarray:
        """Numbers that are in the order of (customer, time)."""
        return owner.astype(np.int64) * (len(self._times) + 1) + moment

    def hold(self, customer: np.ndarray, time_us: np.ndarray) -> np.ndarray:
        """Whether consent was withdrawn at the time of each event: ndarray of bool."""
        if not len(self._customers):
            return np.zeros(len(customer), bool)
        owner = np.minimum(np.searchsorted(self._customers, customer), len(self._customers) - 1)
        moment = np.searchsorted(self._times, time_us, side="right") - 1
        place = np.searchsorted(self._keys, self._key(owner, moment), side="right") - 1
        known = (self._customers[owner] == customer) & (moment >= 0) & (place >= 0)
        known &= self._keys[place] // (len(self._times) + 1) == owner
        return known & ~self._granted[place]
