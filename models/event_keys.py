"""Keys of events, and which of several copies of an event stays.

The identity of an event is (source, event_id). Its key is the MD5 of the id, combined with that of the source, of
which 96 bits are kept: among 50 million events two different ones share a key with a probability of 2e-14.
Of the copies of an event the one received earliest stays; ties go to the smaller content hash.
"""

from __future__ import annotations

from hashlib import md5

import numpy as np
import pyarrow as pa

from models.engine import query

__all__ = ["KEY_SCHEMA", "bucket_of", "key_events", "losers", "power_of_two"]

KEY_SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("key_rest", pa.uint32()),
        ("ingest_us", pa.int64()),
        ("content", pa.uint64()),
        ("day", pa.int32()),
        ("place", pa.int64()),
    ]
)
"""A copy of an event: its key, when it was received, its content, its event day, where it is."""


def bucket_of(hashes: np.ndarray, buckets: int) -> np.ndarray:
    """Bucket of 64-bit hashes: their highest bits, so that doubling the buckets splits each in two.

    `buckets` is a power of two.

    >>> bucket_of(np.array([0, 2**63, 2**64 - 1], np.uint64), 2)
    array([0, 1, 1])
    """
    bits = buckets.bit_length() - 1
    if bits == 0:
        return np.zeros(len(hashes), np.int64)
    return (hashes >> np.uint64(64 - bits)).astype(np.int64)


def power_of_two(least: int) -> int:
    """The smallest power of two that is no less.

    >>> [power_of_two(n) for n in (0, 1, 5, 8)]
    [1, 1, 8, 8]
    """
    return 1 << max(0, least - 1).bit_length()


def key_events(events: pa.Table, source: str) -> pa.Table:
    """The keys of the events of one source, `place` being the row number.

    Parameters
    ----------
    events : pa.Table
        event_id, ingest_time, event_time, record_hash.
    """
    keys = query(
        "WITH digests AS (SELECT md5_number(event_id) AS d FROM events) "
        "SELECT (d >> 64)::UBIGINT AS key, (d & 4294967295::UHUGEINT)::UINTEGER AS key_rest FROM digests",
        events=events.select(["event_id"]),
    )
    salt = np.uint64(int.from_bytes(md5(source.encode(), usedforsecurity=False).digest()[:8]))
    event_us = events["event_time"].cast(pa.int64()).to_numpy()
    return pa.table(
        {
            "key": keys["key"].to_numpy() ^ salt,
            "key_rest": keys["key_rest"],
            "ingest_us": events["ingest_time"].cast(pa.int64()),
            "content": events["record_hash"],
            "day": (event_us // 86_400_000_000).astype(np.int32),
            "place": np.arange(len(events)),
        },
        schema=KEY_SCHEMA,
    )


def losers(keys: pa.Table) -> np.ndarray:
    """Rows of `keys` that are not the staying copy of their event (ascending int64).

    Nearly all keys are unique, so only those that repeat in their first 64 bits are looked at closely.
    """
    key = keys["key"].to_numpy()
    ordered = np.sort(key)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated) == 0:
        return np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(repeated, key), len(repeated) - 1)
    suspects = np.flatnonzero(repeated[at] == key)
    few = keys.take(suspects)
    columns = [few[c].to_numpy() for c in ("place", "content", "ingest_us", "key_rest", "key")]
    order = np.lexsort(columns)
    first, rest = columns[4][order], columns[3][order]
    loses = np.r_[False, (first[1:] == first[:-1]) & (rest[1:] == rest[:-1])]
    return np.sort(suspects[order[loses]])
