"""Segments of few customers, made one: what is told of a group must not tell of a person.

A value of a segment with fewer customers than the least is folded, with the others like it, into one group. The
segments of all journeys add up, so a group left out could be told by subtraction; a folded one is published itself, and
must be large enough itself: as long as it may hold fewer customers than the least, or is a single value under another
name, the next smallest value joins it.

Folding happens before anything is counted. So every count, quantile and probability of the folded group is right, and
all sums hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import SMALL
from models.counts import NONE, codes
from models.distinct import ascending

__all__ = ["Size", "fold", "group_sizes", "to_fold"]


@dataclass(frozen=True)
class Size:
    """How many customers a value of a segment has."""

    segment: str
    value: str
    customers: int
    first: int
    """Customers of whose values it is the first by name: these are disjoint, so sums of them are customers."""


def group_sizes(journeys: pa.Table, segments: Sequence[str]) -> list[Size]:
    """Sizes of all values; those of several buckets of customers can be added.

    Parameters
    ----------
    journeys : pa.Table
        Of whole customers: customer_id, and a text column for each segment.

    Examples
    --------
    >>> table = pa.table({"customer_id": ["a", "a", "b"], "device": ["tv", "pc", None]})
    >>> [(s.value, s.customers, s.first) for s in group_sizes(table, ["device"])]
    [('(none)', 1, 1), ('pc', 1, 1), ('tv', 1, 0)]
    """
    customer, _ = codes(journeys["customer_id"])
    sizes = []
    for segment in segments:
        code, texts = codes(journeys[segment], null=NONE)
        pairs = ascending(customer * np.int64(max(len(texts), 1)) + code)
        owner, value = np.divmod(pairs, max(len(texts), 1))
        opens = np.ones(len(owner), bool)
        opens[1:] = owner[1:] != owner[:-1]
        counts = np.bincount(value, minlength=len(texts)).tolist()
        firsts = np.bincount(value[opens], minlength=len(texts)).tolist()
        sizes += [
            Size(segment, *entry) for entry in zip(texts.to_pylist(), counts, firsts, strict=True)
        ]
    return sizes


def to_fold(sizes: Sequence[Size], least: int) -> dict[str, tuple[str, ...]]:
    """By segment the values that are too small, and those that have to join them.

    >>> sizes = [Size("device", v, n, n) for v, n in (("tv", 3), ("pc", 40), ("phone", 90))]
    >>> to_fold(sizes, least=10)
    {'device': ('pc', 'tv')}
    """
    folded: dict[str, tuple[str, ...]] = {}
    for segment in dict.fromkeys(size.segment for size in sizes):
        ordered = sorted(
            (size for size in sizes if size.segment == segment),
            key=lambda size: (size.customers, size.value),
        )
        number = sum(size.customers < least for size in ordered)
        if not number:
            continue
        while number < len(ordered) and (
            number < 2 or sum(size.first for size in ordered[:number]) < least
        ):
            number += 1
        folded[segment] = tuple(sorted(size.value for size in ordered[:number]))
    return folded


def fold(journeys: pa.Table, folded: Mapping[str, Sequence[str]]) -> pa.Table:
    """Journeys with folded values under one name.

    >>> fold(pa.table({"device": ["tv", None, "pc"]}), {"device": ["tv", "(none)"]})["device"].to_pylist()
    ['(small groups)', '(small groups)', 'pc']
    """
    for segment, values in folded.items():
        column = journeys[segment].cast(pa.string())
        small = pc.is_in(pc.fill_null(column, NONE), pa.array(list(values), pa.string()))
        place = journeys.column_names.index(segment)
        journeys = journeys.set_column(place, segment, pc.if_else(small, SMALL, column))
    return journeys
