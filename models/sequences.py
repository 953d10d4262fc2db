"""Cutting ordered touchpoints into sessions and journeys.

Input everywhere: touchpoints sorted by (customer, event_time, source, event_id). Output: for each row, whether it
opens a session or a journey. A cut is local: it depends on the rows before it of the same customer.
"""

from __future__ import annotations

import numpy as np

__all__ = ["first_known", "journey_starts", "session_starts"]

_DAY_US = 86_400_000_000


def _silences(customer: np.ndarray, time_us: np.ndarray, gap_us: int) -> np.ndarray:
    """Rows that begin a customer or follow a silence strictly longer than `gap_us`."""
    starts = np.ones(len(customer), bool)
    starts[1:] = (customer[1:] != customer[:-1]) | (np.diff(time_us) > gap_us)
    return starts


def session_starts(
    customer: np.ndarray,
    time_us: np.ndarray,
    gap_us: int,
    *,
    split_at_midnight: bool = False,
    campaign: np.ndarray | None = None,
) -> np.ndarray:
    """Rows that open a session.

    Parameters
    ----------
    gap_us : int
        A strictly longer silence closes the session; a silence of exactly the gap does not.
    split_at_midnight : bool
        Whether a new UTC day opens a session.
    campaign : ndarray of int, optional
        Code of each row's campaign, negative for none; one that differs from the customer's last
        known campaign opens a session.

    >>> minute = 60_000_000
    >>> times = np.array([0, 30, 61, 61]) * minute
    >>> session_starts(np.array([1, 1, 1, 2]), times, 30 * minute)
    array([ True, False,  True,  True])
    """
    starts = _silences(customer, time_us, gap_us)
    if split_at_midnight:
        day = time_us // _DAY_US
        starts[1:] |= day[1:] != day[:-1]
    if campaign is not None:
        known = np.flatnonzero(campaign >= 0)
        changed = np.zeros(len(known), bool)
        same_customer = customer[known[1:]] == customer[known[:-1]]
        changed[1:] = same_customer & (campaign[known[1:]] != campaign[known[:-1]])
        starts[known[changed]] = True
    return starts


def journey_starts(
    customer: np.ndarray,
    time_us: np.ndarray,
    gap_us: int,
    *,
    converts: np.ndarray,
    pre_purchase: np.ndarray,
    restart_after_conversion: bool = True,
) -> np.ndarray:
    """Rows that open a journey.

    A journey ends with a silence strictly longer than `gap_us`. After a conversion, the next touchpoint of
    a pre-purchase stage opens another, if `restart_after_conversion`; what lies between (service, returns)
    still belongs to the journey that converted.

    >>> rows = np.ones(4, int), np.arange(4) * 1000
    >>> journey_starts(*rows, 10**9, converts=np.array([False, True, False, False]),
    ...                pre_purchase=np.array([True, False, False, True]))
    array([ True, False, False,  True])
    """
    starts = _silences(customer, time_us, gap_us)
    if restart_after_conversion:
        conversions, candidates = np.flatnonzero(converts), np.flatnonzero(pre_purchase)
        following = np.searchsorted(candidates, conversions, side="right")
        inside = following < len(candidates)
        opened, conversions = candidates[following[inside]], conversions[inside]
        stretch = np.cumsum(starts)
        starts[opened[stretch[opened] == stretch[conversions]]] = True
    return starts


def first_known(codes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """For each stretch that begins at one of `starts`, its first code that is not negative, else -1.

    >>> first_known(np.array([-1, 3, 2, -1]), np.array([0, 3]))
    array([ 3, -1])
    """
    if len(starts) == 0:
        return np.zeros(0, codes.dtype)
    beyond = len(codes)
    place = np.where(codes >= 0, np.arange(beyond), beyond)
    first = np.minimum.reduceat(place, starts)
    return np.where(first < beyond, codes[np.minimum(first, beyond - 1)], -1)
