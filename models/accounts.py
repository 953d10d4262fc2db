"""Accounts: the organisation a person acts for, where several decide together.

An account is named by an identifier of its own kind: a field of the source, or the domain of an e-mail address that
is no public mail provider's (`normalise: domain`). It ties no two persons. An event belongs to the account it
bears, else to the account of its person: the one on most of the person's events (ties: seen first, then by hash).
Who has none is a subject of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contracts.schemas import table_schema
from models.hexadecimal import hex_text
from models.link_columns import LinkReader, texts_at

__all__ = ["Accounts", "account_table", "accounts_of"]


@dataclass(frozen=True)
class Accounts:
    """The account of every link that bears one, and of every person who has one."""

    of_link: np.ndarray
    """uint64 a link; 0: it bears none."""
    person: np.ndarray
    """uint64, ascending."""
    account: np.ndarray
    """uint64 a person."""

    def subjects(self, person: np.ndarray, link: np.ndarray) -> np.ndarray:
        """Account, or else person, of events, given their persons (0: unknown) and their links.

        Examples
        --------
        >>> known = Accounts(np.array([7, 0], np.uint64), np.array([1], np.uint64), np.array([7], np.uint64))
        >>> known.subjects(np.array([0, 1, 2], np.uint64), np.array([0, 1, 1])).tolist()
        [7, 7, 2]
        """
        borne = self.of_link[link]
        place = np.searchsorted(self.person, person)
        has_one = np.append(self.person, np.uint64(0))[place] == person
        own = np.where(
            has_one & (person != 0), np.append(self.account, np.uint64(0))[place], person
        )
        return np.where(borne != 0, borne, own).astype(np.uint64)


def account_table(
    namespace: str,
    links: LinkReader,
    hashes: np.ndarray,
    numbers: Sequence[np.ndarray],
    accounts: Accounts,
) -> pa.Table:
    """The table `accounts` of one namespace.

    Parameters
    ----------
    hashes : uint64 ndarray of shape (n_links,)
        Hash of each link's account; 0 for none.
    numbers : three int64 ndarray of shape (n_links,)
        First seen, last seen and events of each link.
    """
    rows = np.flatnonzero(hashes)
    account, at, place = np.unique(hashes[rows], return_index=True, return_inverse=True)
    first = np.full(len(account), np.iinfo(np.int64).max)
    last = np.full(len(account), np.iinfo(np.int64).min)
    events = np.zeros(len(account), np.int64)
    np.minimum.at(first, place, numbers[0][rows])
    np.maximum.at(last, place, numbers[1][rows])
    np.add.at(events, place, numbers[2][rows])
    by_row = np.argsort(at)
    texts = texts_at(links(f"id_{namespace}"), rows[at[by_row]])
    own = np.sort(accounts.account)
    persons = np.searchsorted(own, account, "right") - np.searchsorted(own, account, "left")
    time = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "account_id": hex_text(account),
            "namespace": pa.repeat(namespace, len(account)),
            "value": texts.take(pa.array(np.argsort(by_row))),
            "persons": persons.astype(np.int64),
            "first_seen": pa.array(first, time),
            "last_seen": pa.array(last, time),
            "events": events,
        },
        schema=table_schema("accounts"),
    )


def accounts_of(
    columns: Sequence[np.ndarray], person: np.ndarray, first_us: np.ndarray, events: np.ndarray
) -> Accounts:
    """Find the accounts of links and of persons.

    Parameters
    ----------
    columns : sequence of uint64 ndarray of shape (n_links,)
        Hash of each link's account in each account namespace, strongest first; 0 for none.
    person : uint64 ndarray of shape (n_links,)
        Person of each link; 0 where unknown, or known only by time.
    first_us, events : int64 ndarray of shape (n_links,)
        When each link was first seen, and on how many events.
    """
    of_link = np.zeros(len(person), np.uint64)
    for column in reversed(columns):
        of_link = np.where(column != 0, column, of_link)
    both = np.flatnonzero((of_link != 0) & (person != 0))
    pairs, place = np.unique(
        np.stack([person[both], of_link[both]], axis=1), axis=0, return_inverse=True
    )
    count = np.zeros(len(pairs), np.int64)
    first = np.full(len(pairs), np.iinfo(np.int64).max)
    np.add.at(count, place.ravel(), events[both])
    np.minimum.at(first, place.ravel(), first_us[both])
    order = np.lexsort((pairs[:, 1], first, -count, pairs[:, 0]))
    ranked = pairs[order]
    leads = np.ones(len(ranked), bool)
    leads[1:] = ranked[1:, 0] != ranked[:-1, 0]
    return Accounts(of_link, ranked[leads, 0], ranked[leads, 1])
