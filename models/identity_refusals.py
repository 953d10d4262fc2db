"""What resolution refused, why, and how much it would have merged.

Refused are single identifiers (crowded, shared, split by order), which tie nobody, pairs of identifiers whose
union would have broken a limit, and values that were refused on sight (null-like, blocked). Beside each stands what it
would have made one: so many customers, with so many identifiers and events.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from contracts.config import Identity
from contracts.schemas import table_schema
from models.identity import Resolution
from models.identity_limits import CROWDED, IN, SHARED, SPLIT
from models.link_columns import LinkReader

__all__ = ["refusals"]

_REASONS = {CROWDED: "crowded", SHARED: "shared", SPLIT: "split"}


def refusals(resolution: Resolution, links: LinkReader, identity: Identity) -> pa.Table:
    """The table `identity_refusals`.

    Parameters
    ----------
    resolution : Resolution
        Of the same links.
    links : LinkReader
        Read again for the text of what was refused.
    """
    found, names = resolution.constrained, resolution.namespaces
    alone = np.flatnonzero(found.fate != IN)
    pairs = found.refusals
    node = np.concatenate([alone, pairs.left]).astype(np.int64)
    beside = pairs.right.astype(np.int64)
    refused = resolution.refused
    seen, customers = resolution.seen_with
    union = len(alone) + np.arange(len(beside))
    value, bearers = refused.seen_with
    at_number = np.concatenate([np.searchsorted(alone, seen), union, union, len(node) + value])
    customers = np.concatenate(
        [customers, found.labels[pairs.left], found.labels[pairs.right], bearers]
    )
    sums = _sums(at_number, customers, resolution, len(node) + len(refused))
    owner = resolution.namespace[node]
    before, after = (pa.nulls(count, pa.string()) for count in (len(alone), len(refused)))
    first = np.concatenate([resolution.first_seen[alone], pairs.first_us, refused.first_us])
    reasons = [*(_REASONS[fate] for fate in found.fate[alone].tolist()), *["limit"] * len(beside)]
    columns = {
        "namespace": pa.concat_arrays(
            [pa.array([names[place] for place in owner], pa.string()), refused.namespace]
        ),
        "value": pa.concat_arrays([resolution.values(links, node), refused.value]),
        "beside_namespace": pa.concat_arrays(
            [
                before,
                pa.array([names[place] for place in resolution.namespace[beside]], pa.string()),
                after,
            ]
        ),
        "beside_value": pa.concat_arrays([before, resolution.values(links, beside), after]),
        "reason": pa.concat_arrays([pa.array(reasons, pa.string()), refused.reason]),
        "detail": pa.array(
            [
                *_of_one(resolution, alone),
                *_of_pairs(resolution, identity),
                *(f"on {events:,} events" for events in refused.events.tolist()),
            ],
            pa.string(),
        ),
        "first_seen": pa.array(first, pa.timestamp("us", tz="UTC")),
        **dict(zip(("customers", "identifiers", "events"), map(pa.array, sums), strict=True)),
    }
    schema = table_schema("identity_refusals")
    return pa.table([columns[field.name] for field in schema], schema=schema)


def _sums(
    number: np.ndarray, customer: np.ndarray, resolution: Resolution, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Customers of each refusal, their identifiers and their events."""
    identifiers = np.bincount(resolution.constrained.labels, minlength=1)
    totals = [np.zeros(count, np.int64) for _ in range(3)]
    values = (
        np.ones(len(customer), np.int64),
        identifiers[customer],
        resolution.events_of[customer],
    )
    for total, value in zip(totals, values, strict=True):
        np.add.at(total, number, value)
    return totals[0], totals[1], totals[2]


def _of_one(resolution: Resolution, alone: np.ndarray) -> list[str]:
    """Why each single identifier was refused."""
    crowded = resolution.constrained.crowded
    seen = {
        node: f"seen with {partners:,} {resolution.namespaces[namespace]}"
        for node, namespace, partners in zip(
            crowded.nodes.tolist(),
            crowded.namespace.tolist(),
            crowded.partners.tolist(),
            strict=True,
        )
    }
    words = {SHARED: "several known customers use it", SPLIT: "ordered to tie nobody"}
    fates = resolution.constrained.fate[alone].tolist()
    return [
        words[fate] if fate in words else seen[node]
        for node, fate in zip(alone.tolist(), fates, strict=True)
    ]


def _of_pairs(resolution: Resolution, identity: Identity) -> Sequence[str]:
    """Which limit refused each pair."""
    names = resolution.constrained.limits
    most = [
        f"more than {identity.namespaces[name].limit} {name}"
        if name in identity.namespaces
        else f"more than one {name}"
        for name in names
    ]
    return [most[place] for place in resolution.constrained.refusals.limit.tolist()]
