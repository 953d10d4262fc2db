"""Values refused on sight: given as an identifier, and saying nothing.

"null", "00000000", an address that somebody blocked: whoever took them for identifiers would make one customer of
all who bear them. They are no identifiers here, yet events tell of them, so that it can be counted how many
customers each would have merged. Of an event this is one text: its refused values one after the other, `VALUE`
between them; of each the namespace, why it was refused, and the value, `FIELD` between them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.dictionaries import DICTIONARY, codes_of, encode
from models.distinct import ascending
from models.link_columns import LinkReader, of_rows

__all__ = ["FIELD", "REFUSED", "RefusedValues", "all_refused", "refused_values"]

REFUSED = "_refused"
"""Column of events on their way to the lake, and of links; no attribute can bear this name."""
FIELD, VALUE = "\x1f", "\x1e"


def all_refused(columns: Sequence[pa.DictionaryArray], rows: int) -> pa.DictionaryArray:
    """One text an event of what several columns tell; null where nothing was refused.

    >>> one, two = encode(pa.array([None, "a", None])), encode(pa.array([None, "b", "c"]))
    >>> [text and text.split(VALUE) for text in all_refused([one, two], 3).to_pylist()]
    [None, ['a', 'b'], ['c']]
    """
    if not columns:
        return pa.nulls(rows, DICTIONARY)
    if len(columns) == 1:
        return columns[0]
    texts = [column.cast(pa.string()) for column in columns]
    return encode(functools.reduce(_joined, texts))


def _joined(one: pa.StringArray, other: pa.StringArray) -> pa.StringArray:
    return pc.coalesce(pc.binary_join_element_wise(one, other, VALUE), one, other)


@dataclass(frozen=True)
class RefusedValues:
    """Distinct values that were refused on sight, and the customers who bear them."""

    namespace: pa.StringArray
    reason: pa.StringArray
    value: pa.StringArray
    first_us: np.ndarray
    """When each was first seen."""
    events: np.ndarray
    """How many events bear it."""
    seen_with: tuple[np.ndarray, np.ndarray]
    """Distinct pairs of place above and label of a customer."""

    def __len__(self) -> int:
        return len(self.value)


def refused_values(
    links: LinkReader, kind: np.ndarray, label: np.ndarray, customers: int
) -> RefusedValues:
    """Find the refused values that links bear.

    Parameters
    ----------
    links : LinkReader
        Of `REFUSED`, `first_seen` and `events`.
    kind : int ndarray of shape (n_links,)
        Combination of identifiers of each link.
    label : int ndarray of shape (n_combinations,)
        Label of each combination's customer, below `customers`; -1 for none.
    """
    at, texts, read = [np.zeros(0, np.int64)], [pa.array([], pa.string())], 0
    for piece in links(REFUSED):
        if piece.null_count < len(piece):
            rows = np.flatnonzero(pc.is_valid(piece).to_numpy(zero_copy_only=False))
            each = pc.split_pattern(piece.take(pa.array(rows)).cast(pa.string()), VALUE)
            at.append(read + rows[pc.list_parent_indices(each).to_numpy()])
            texts.append(pc.list_flatten(each))
        read += len(piece)
    told = encode(pa.chunked_array(texts))
    link, place = np.concatenate(at), codes_of(told)
    first = np.full(len(told.dictionary), np.iinfo(np.int64).max)
    events = np.zeros(len(told.dictionary), np.int64)
    np.minimum.at(first, place, of_rows(links("first_seen"), link))
    np.add.at(events, place, of_rows(links("events"), link))
    bearer = label[kind[link]]
    known = bearer >= 0
    pairs = ascending(place[known] * customers + bearer[known])
    seen_with = pairs // max(customers, 1), pairs % max(customers, 1)
    parts = pc.split_pattern(told.dictionary.cast(pa.string()), FIELD, max_splits=2)
    namespace, reason, value = (pc.list_element(parts, field) for field in range(3))
    return RefusedValues(namespace, reason, value, first, events, seen_with)
