"""Tombstones: who was erased, in keyed hashes that tell nobody but the holder of the key.

A tombstone keeps an erased person from coming back with a later file, with a file read again, or with a full
refresh. It has a keyed hash of each of the person's identifiers, made from the value as the lake knew it, so that it is
neither the value nor its pseudonym. An anonymous event on a shared device bears no identifier that is the person's
own; for such events it has a keyed hash of the device (the *guard*, which says where to look) and one of the event.

A record is erased if it bears an erased identifier, or is an erased event. Tombstones are never taken back, and hold
under the key that they were made with: after a change of keys the former key is needed to recognise them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from contracts.config import Identity
from models.dictionaries import codes_of
from models.identifiers import Pseudonymiser, clean_identifiers

__all__ = ["Tombstone", "Tombstones", "bury"]

Identifier = tuple[str, str]
Event = tuple[str, str]


@dataclass(frozen=True)
class Tombstone:
    """One erasure, in keyed hashes: 32 hex digits each."""

    key: str
    """Which key they were made with: the pseudonym of nothing."""
    identifiers: tuple[str, ...]
    events: tuple[tuple[str, str], ...] = ()
    """(guard, event) of events that bear no identifier of the person's own."""


def bury(
    identifiers: Iterable[Identifier],
    events: Iterable[tuple[Identifier, Event]],
    key: Pseudonymiser,
) -> Tombstone:
    """The tombstone of a person.

    Parameters
    ----------
    identifiers : iterable of (namespace, value)
        The person's own, as the lake knows them.
    events : iterable of ((namespace, value), (source, event_id))
        Events of the person without one of these, each with an identifier that it bears.
    """
    return Tombstone(
        key.digest("", ""),
        tuple(sorted(key.digest(f"erased {name}", value) for name, value in identifiers)),
        tuple(
            sorted(
                (key.digest(f"guard {name}", value), key.digest(f"event {source}", event_id))
                for (name, value), (source, event_id) in events
            )
        ),
    )


@dataclass(frozen=True)
class Tombstones:
    """All tombstones, with the keys they were made with; the present key comes first."""

    keys: tuple[Pseudonymiser, ...]
    tombstones: tuple[Tombstone, ...]

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Hashes of all erased identifiers."""
        return frozenset(hashed for t in self.tombstones for hashed in t.identifiers)

    @cached_property
    def guards(self) -> frozenset[str]:
        """Hashes of identifiers whose events have to be looked at one by one."""
        return frozenset(guard for t in self.tombstones for guard, _ in t.events)

    @cached_property
    def events(self) -> frozenset[str]:
        """Hashes of all erased events without an erased identifier."""
        return frozenset(event for t in self.tombstones for _, event in t.events)

    def of_raw(
        self,
        raw: Mapping[str, pa.DictionaryArray],
        source: str,
        event_ids: pa.ChunkedArray,
        identity: Identity,
    ) -> np.ndarray:
        """Which records are erased, under whatever key: ndarray of bool.

        Parameters
        ----------
        raw : mapping of str to pa.DictionaryArray
            Identifiers by namespace, as the source gave them.
        """
        gone = np.zeros(len(event_ids), bool)
        for key in self.keys:
            known = {
                name: clean_identifiers(values, name, identity, key).values
                for name, values in raw.items()
            }
            gone |= self._of_events(known, source, event_ids, (key,))
        return gone

    def of_known(
        self, known: Mapping[str, pa.DictionaryArray], source: str, event_ids: pa.ChunkedArray
    ) -> np.ndarray:
        """Which events of the lake, hashed with whatever key, are erased: ndarray of bool."""
        return self._of_events(known, source, event_ids, self.keys)

    def erased(self, namespace: str, values: pa.Array) -> np.ndarray:
        """Which of distinct values, as the lake knows them, are erased identifiers: ndarray of bool."""
        return self._are(self.identifiers, f"erased {namespace}", values, self.keys)

    def guarded(self, namespace: str, values: pa.Array) -> np.ndarray:
        """Which of distinct values, as the lake knows them, say that events must be looked at: ndarray of bool."""
        return self._are(self.guards, f"guard {namespace}", values, self.keys)

    def _of_events(
        self,
        known: Mapping[str, pa.DictionaryArray],
        source: str,
        event_ids: pa.ChunkedArray,
        keys: tuple[Pseudonymiser, ...],
    ) -> np.ndarray:
        gone, guarded = np.zeros(len(event_ids), bool), np.zeros(len(event_ids), bool)
        for namespace, values in known.items():
            codes, distinct = codes_of(values), values.dictionary
            erased = self._are(self.identifiers, f"erased {namespace}", distinct, keys)
            gone |= np.append(erased, False)[codes]
            guards = self._are(self.guards, f"guard {namespace}", distinct, keys)
            guarded |= np.append(guards, False)[codes]
        rows = np.flatnonzero(guarded & ~gone)  # of a few devices
        ids = event_ids.take(pa.array(rows))
        gone[rows] = self._are(self.events, f"event {source}", ids, keys)
        return gone

    @staticmethod
    def _are(
        wanted: frozenset[str],
        kind: str,
        values: pa.Array | pa.ChunkedArray,
        keys: tuple[Pseudonymiser, ...],
    ) -> np.ndarray:
        found = np.zeros(len(values), bool)
        for key in keys if wanted else ():
            found |= np.array([key.digest(kind, v) in wanted for v in values.to_pylist()], bool)
        return found
