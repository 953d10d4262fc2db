"""Devices that several customers use: who was there when.

A household's tablet, a colleague's laptop, a store's till: an identifier of a device that was seen with two or more
known customers says who used it only together with the time. Its *anonymous* events, which carry no other
identifier, go to the customer authenticated last before on that device, else first after, unless that is further
away than `within`. What is left belongs to customers of its own, one for each *stay*: events on the device with no
silence over `within`.

The customers on a device are therefore a step function of time. `assign` makes its intervals from all events on
shared devices, `CustomersByTime` answers for single events. Both depend on the set of (device, time, customer)
alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from contracts.sql_text import md5_64
from models.distinct import ascending
from models.engine import query

__all__ = [
    "RULES",
    "CustomersByTime",
    "Intervals",
    "assign",
    "last_of_all",
    "named",
    "shared_devices",
]

RULES = ("last before", "first after", "nobody near", "last of all")
"""How an interval's customer was found."""
_LAST_BEFORE, _FIRST_AFTER, _NOBODY, _LAST_OF_ALL = range(4)


def shared_devices(customers: Iterable[np.ndarray], devices: np.ndarray, size: int) -> np.ndarray:
    """Devices seen with two or more customers.

    Parameters
    ----------
    customers : iterable of int ndarray of shape (n_links,)
        Known customers of each link, one array a namespace; -1 for none.
    devices : int ndarray of shape (n_links,)
        Node of each link's device; -1 for none.
    size : int
        Number of nodes.

    Returns
    -------
    ndarray of int
        Nodes, ascending.

    Examples
    --------
    >>> shared_devices([np.array([7, 8, 7])], np.array([0, 0, 1]), 2).tolist()
    [0]
    """
    least = np.full(size, np.iinfo(np.int32).max, np.int32)
    greatest = np.full(size, -1, np.int32)
    for column in customers:
        rows = np.flatnonzero((column >= 0) & (devices >= 0))
        np.minimum.at(least, devices[rows], column[rows].astype(np.int32))
        np.maximum.at(greatest, devices[rows], column[rows].astype(np.int32))
    return np.flatnonzero(least < greatest)


@dataclass(frozen=True)
class Intervals:
    """Who the anonymous events of a device belong to, from each time on; sorted by device and time."""

    device: np.ndarray
    start_us: np.ndarray
    """First anonymous event of the interval."""
    end_us: np.ndarray
    """Last anonymous event of the interval."""
    customer: np.ndarray
    """uint64; 0 where the events belong to a customer of their own, whom the interval names."""
    rule: np.ndarray
    """Index into `RULES`."""
    events: np.ndarray
    """Anonymous events in the interval."""

    def __len__(self) -> int:
        return len(self.device)


def assign(
    device: np.ndarray, time_us: np.ndarray, customer: np.ndarray, within_us: int
) -> Intervals:
    """Assign the anonymous events of shared devices.

    Parameters
    ----------
    device : ndarray of int
        Device of each event.
    time_us : ndarray of int64
        When it happened.
    customer : ndarray of uint64
        Customer of an authenticated event; 0 for an anonymous one.
    within_us : int
        Nobody further away in time is thought of; a longer silence ends a stay.

    Examples
    --------
    >>> found = assign(np.zeros(4, int), np.array([0, 5, 50, 55]), np.array([9, 0, 0, 0], np.uint64), 10)
    >>> list(zip(found.start_us.tolist(), found.customer.tolist(), found.events.tolist()))
    [(5, 9, 1), (50, 0, 2)]
    """
    order = np.lexsort((customer, time_us, device))
    device, time_us, customer = device[order], time_us[order], customer[order]
    before = _nearest_known(device, time_us, customer, within_us)
    back = _nearest_known(device[::-1], -time_us[::-1], customer[::-1], within_us)[::-1]
    # Within one moment the order is by customer, anonymous first: whoever is known there is "before".
    same = _nearest_known(device[::-1], -time_us[::-1], customer[::-1], 0)[::-1]
    before = np.where(same > 0, same, before)
    found = np.where(before > 0, before, back)
    rule = np.select([before > 0, back > 0], [_LAST_BEFORE, _FIRST_AFTER], _NOBODY)
    anonymous = np.flatnonzero(customer == 0)
    device, time_us, found, rule = (column[anonymous] for column in (device, time_us, found, rule))
    opens = np.ones(len(anonymous), bool)
    opens[1:] = (device[1:] != device[:-1]) | (found[1:] != found[:-1]) | (rule[1:] != rule[:-1])
    opens[1:] |= (rule[1:] == _NOBODY) & (time_us[1:] - time_us[:-1] > within_us)
    at = np.flatnonzero(opens)
    ends = np.r_[at[1:], len(anonymous)] - 1 if len(at) else at
    return Intervals(
        device[at], time_us[at], time_us[ends], found[at], rule[at].astype(np.int8), ends - at + 1
    )


def last_of_all(
    device: np.ndarray,
    customer: np.ndarray,
    first_us: np.ndarray,
    last_us: np.ndarray,
    events: np.ndarray,
) -> Intervals:
    """All anonymous events of each shared device to the customer authenticated last on it.

    Parameters
    ----------
    device, customer, first_us, last_us, events : ndarray of shape (n_links,)
        Links with a shared device; `customer` is 0 for an anonymous one.
    """
    known = np.flatnonzero(customer > 0)
    order = known[np.lexsort((customer[known], last_us[known], device[known]))]
    latest = order[
        np.r_[device[order][1:] != device[order][:-1], np.ones(min(1, len(order)), bool)]
    ]
    anonymous = np.flatnonzero(customer == 0)
    devices, place = np.unique(device[anonymous], return_inverse=True)
    first = np.full(len(devices), np.iinfo(np.int64).max)
    last = np.full(len(devices), np.iinfo(np.int64).min)
    total = np.zeros(len(devices), np.int64)
    np.minimum.at(first, place, first_us[anonymous])
    np.maximum.at(last, place, last_us[anonymous])
    np.add.at(total, place, events[anonymous])
    owner = customer[latest][np.searchsorted(device[latest], devices)]
    rule = np.full(len(devices), _LAST_OF_ALL, np.int8)
    return Intervals(devices, first, last, owner, rule, total)


def named(intervals: Intervals, hashes: np.ndarray) -> Intervals:
    """Name the customers of stays that nobody known is near: by the device's hash and the first event."""
    stays = np.flatnonzero(intervals.customer == 0)
    table = pa.table(
        {"device": hashes[intervals.device[stays]], "start": intervals.start_us[stays]}
    )
    sql = f"SELECT {md5_64('device || chr(31) || start')} AS hash FROM stays"
    customer = intervals.customer.copy()
    customer[stays] = query(sql, stays=table)["hash"].to_numpy()
    return replace(intervals, customer=customer)


def _nearest_known(
    device: np.ndarray, time_us: np.ndarray, customer: np.ndarray, within_us: int
) -> np.ndarray:
    """For every event the customer of the last authenticated one at or before it in this order."""
    rows = np.arange(len(device))
    last = np.maximum.accumulate(np.where(customer > 0, rows, -1))
    near = last >= 0
    near &= (device[last] == device) & (time_us - time_us[last] <= within_us)
    return np.where(near, customer[last], 0)


class CustomersByTime:
    """The customers of anonymous events on shared devices, looked up by device and time.

    Parameters
    ----------
    device : ndarray of int
        Device of each interval, ascending.
    start_us : ndarray of int64
        When it begins; ascending for each device. Before its first interval a device has nobody.
    customer : ndarray of uint64
        Whose it is.

    Examples
    --------
    >>> who = CustomersByTime(np.array([3, 3]), np.array([0, 10]), np.array([7, 8], np.uint64))
    >>> who.at(np.array([3, 3, 3]), np.array([9, 10, 11])).tolist()
    [7, 8, 8]
    """

    def __init__(self, device: np.ndarray, start_us: np.ndarray, customer: np.ndarray) -> None:
        self._times = ascending(start_us)
        self._devices = ascending(device)
        self._keys = self._key(device, start_us)
        self._customer = customer

    def _key(self, device: np.ndarray, time_us: np.ndarray) -> np.ndarray:
        moment = np.searchsorted(self._times, time_us, side="right")
        place = np.searchsorted(self._devices, device)
        return place * (len(self._times) + 1) + moment

    def at(self, device: np.ndarray, time_us: np.ndarray) -> np.ndarray:
        """Customer of each event; each device is one of those given."""
        return self._customer[np.searchsorted(self._keys, self._key(device, time_us), "right") - 1]
