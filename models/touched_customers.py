"""Touched customers: whose touchpoints may differ from those of an earlier state of the lake, and what to make them of.

A touchpoint follows from an event, the customer of its link (`models.identity`; on a shared device, of its time) and
what customers said of consent. Between two states files of events come, go or stay. Of a file that stays, only
links whose customer changed, and anonymous links on devices that changed hands, can give other touchpoints. So the
touched are found from links, without a look at events:

- customers of links in files that came or went, and both sides of links whose customer changed;
- customers of a device on which an anonymous event that stays may have another owner, or none;
- customers whose consent changed, or who take part in a change of links and said anything about consent.

Most are merely *grown*: what they had is in their old touchpoints, perhaps under another name, and what came is in
new files. That holds if all links of an old customer that stay went to one new customer. Those for whom it does not
are made *again* from their events: split customers, those of files that went (a better copy took the place of
an event), of devices that changed hands, of consent that changed, and of receipts, for a folded touchpoint does not
tell its lines. Whoever shares a changed link with one of them is made again, too, so that no event is taken twice.

All of it may name too many, never too few: whoever is named is computed anew and comes out the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.distinct import ascending, ascending_rows

__all__ = ["LinkState", "Touched", "contains", "find_touched"]

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NOBODY = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class LinkState:
    """Who the links of a state of the lake belong to.

    Attributes
    ----------
    customer : uint64 ndarray of shape (n_links,)
        0 where the link alone does not tell.
    device : uint64 ndarray of shape (n_links,)
        Hash of the shared device that decides by time whose an anonymous link's events are; else 0.
    interval_device, interval_start_us, interval_end_us, interval_customer : ndarrays of shape (n_intervals,)
        Whose the anonymous events of a device are from a time on, and the last of them.
    """

    customer: Hashes
    device: Hashes
    interval_device: Hashes
    interval_start_us: Ints
    interval_end_us: Ints
    interval_customer: Hashes

    def owners(self, devices: Hashes) -> Hashes:
        """The customers of the anonymous events on some devices."""
        return self.interval_customer[contains(_distinct(devices), self.interval_device)]

    def devices_of(self, customers: Hashes) -> Hashes:
        """The devices on which customers have anonymous events."""
        return _distinct(self.interval_device[contains(customers, self.interval_customer)])


@dataclass(frozen=True)
class Touched:
    """Customers as ascending uint64 ndarrays.

    Attributes
    ----------
    customers : all touched ones, by their old and their new names
    again : those of them that are made from events
    old, new : the names of those who are not, where they differ; `old` ascending
    links : int64 ndarray, ascending: which links of the later state, in files that stay, have events to be read
    """

    customers: Hashes
    again: Hashes
    old: Hashes
    new: Hashes
    links: Ints


def find_touched(
    before: LinkState,
    after: LinkState,
    stayed: tuple[Ints, Ints],
    receipts: Flags,
    stated: Hashes = _NOBODY,
    restated: Hashes = _NOBODY,
) -> Touched:
    """Find the touched customers.

    Parameters
    ----------
    before, after : LinkState
    stayed : two int64 ndarrays
        Places of the links of files that are in both states, in each of them.
    receipts : bool ndarray of shape (n_links after,)
        Links in files of sources whose lines are folded to receipts.
    stated, restated : uint64 ndarray
        Customers who said anything about consent in either state; those for whom it is not the same in both.

    Examples
    --------
    Customer 7 has an event in a new file, and 8 turns out to be 9.

    >>> none = (np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint64))
    >>> state = lambda *of: LinkState(np.array(of, np.uint64), np.zeros(len(of), np.uint64), *none)
    >>> stayed = np.arange(4)
    >>> found = find_touched(state(7, 8, 9, 5), state(7, 9, 9, 5, 7), (stayed, stayed), np.zeros(5, bool))
    >>> found.customers.tolist(), found.again.tolist(), found.old.tolist(), found.new.tolist()
    ([7, 8, 9], [], [8], [9])
    """
    old, new = before.customer[stayed[0]], after.customer[stayed[1]]
    old_device, new_device = before.device[stayed[0]], after.device[stayed[1]]
    came, went = (
        _others(len(state.customer), places)
        for state, places in zip((before, after)[::-1], stayed[::-1], strict=True)
    )
    changed = np.flatnonzero(old != new)
    pairs, _ = ascending_rows(old[changed], new[changed])
    moved = old_device != new_device
    moved |= contains(_changed_devices(before, after), old_device) & (old_device != 0)

    again = [restated, before.customer[went], before.owners(before.device[went])]
    again += [before.owners(old_device[moved]), after.owners(new_device[moved])]
    by_time = _distinct(before.interval_customer, after.interval_customer)
    unclear = (pairs == 0).any(axis=1) | contains(stated, pairs).any(axis=1)
    unclear |= contains(by_time, pairs[:, 0]) | _split(pairs, old[old == new])
    again.append(pairs[unclear].ravel())
    customers = _distinct(
        after.customer[came], after.owners(after.device[came]), pairs.ravel(), *again
    )

    folded = receipts[stayed[1]]
    of_receipts = _distinct(
        old[folded],
        new[folded],
        before.owners(old_device[folded]),
        after.owners(new_device[folded]),
    )
    again.append(customers[contains(of_receipts, customers)])
    made = _closed(_distinct(*again), pairs)

    devices = _distinct(before.devices_of(made), after.devices_of(made))
    read = moved | contains(made, old) | contains(made, new)
    read |= contains(devices, old_device) | contains(devices, new_device)
    renamed = pairs[~contains(made, pairs).any(axis=1)]
    return Touched(
        customers, made, renamed[:, 0], renamed[:, 1], np.sort(stayed[1][np.flatnonzero(read)])
    )


def contains(ascending: NDArray[np.uint64], values: NDArray[np.uint64]) -> Flags:
    """Which values are among ascending ones, in the shape of `values`.

    >>> contains(np.array([2, 5], np.uint64), np.array([5, 1, 9], np.uint64)).tolist()
    [True, False, False]
    """
    if not len(ascending):
        return np.zeros(values.shape, bool)
    place = np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)
    found: Flags = ascending[place] == values
    return found


def _distinct(*parts: Hashes) -> Hashes:
    """Distinct hashes, ascending; 0 is nobody's."""
    found = ascending(np.concatenate([_NOBODY, *parts]))
    return found[found != 0]


def _others(number: int, places: Ints) -> Ints:
    other = np.ones(number, bool)
    other[places] = False
    return np.flatnonzero(other)


def _split(pairs: NDArray[np.uint64], unchanged: Hashes) -> Flags:
    """Which pairs of old and new customer are of an old one with links that went elsewhere."""
    several = np.zeros(len(pairs), bool)
    several[1:] = pairs[1:, 0] == pairs[:-1, 0]
    several[:-1] |= several[1:]
    return several | contains(_distinct(unchanged), pairs[:, 0])


def _changed_devices(before: LinkState, after: LinkState) -> Hashes:
    """Devices on which an anonymous event of the earlier state may have another owner in the later one.

    What a device does after its last earlier event moves none of them.
    """
    devices, place = np.unique(before.interval_device, return_inverse=True)
    last = np.full(len(devices), np.iinfo(np.int64).min)
    np.maximum.at(last, place, before.interval_end_us)
    at = np.minimum(np.searchsorted(devices, after.interval_device), max(len(devices) - 1, 0))
    told = contains(devices, after.interval_device)
    if len(devices):
        told &= after.interval_start_us <= last[at]
    said = [
        np.stack([device, start.view(np.uint64), customer], axis=1)
        for device, start, customer in (
            (before.interval_device, before.interval_start_us, before.interval_customer),
            (
                after.interval_device[told],
                after.interval_start_us[told],
                after.interval_customer[told],
            ),
        )
    ]
    rows, times = ascending_rows(*np.concatenate(said).T)
    return _distinct(rows[times == 1, 0])


def _closed(customers: Hashes, pairs: NDArray[np.uint64]) -> Hashes:
    """The customers, and whoever is tied to them by pairs."""
    while True:
        tied = contains(customers, pairs).any(axis=1)
        grown = _distinct(customers, pairs[tied].ravel())
        if len(grown) == len(customers):
            return customers
        customers = grown
