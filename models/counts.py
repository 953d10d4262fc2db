"""Counts that can be added: the long table that buckets of customers hand to one another.

Every bucket of customers counts for itself; the whole is the sum. So that adding is exact and
needs no order, all that is counted is an integer, one row per

    level, segment, segment_value, source_node, target_node, measure, bin  ->  count

`measure` says what is counted and `bin` is a place in a histogram, 0 where there is none. Amounts
that are no integers are counted in fixed-point units (`models.transition_counts` says which).
Text columns are dictionary-encoded; the dictionaries are sorted and rows are sorted by key, so
equal counts are equal tables. What adds up to 0 is not there, so that counts can be taken back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.dictionaries import in_one_chunk

__all__ = [
    "COUNTS_SCHEMA", "NONE", "by_measure", "codes", "count_by", "counts_rows", "encode", "join_counts",
    "merge_counts", "starts", "sum_by", "taken_back",
]  # fmt: skip

NONE = "(none)"
"""Segment value of journeys that have none."""

_CODE = pa.dictionary(pa.int32(), pa.string())
_TEXTS = ("level", "segment", "segment_value", "source_node", "target_node", "measure")

COUNTS_SCHEMA = pa.schema(
    [*((name, _CODE) for name in _TEXTS), ("bin", pa.int32()), ("count", pa.int64())]
)
"""Columns of a table of counts; the key is all but `count`."""

_BATCH_ROWS = 2_000_000
_DENSE = 8
"""Keys are counted in an array of all possible ones if these are at most so many times the rows."""

Ints = NDArray[np.int64]


def codes(column: pa.ChunkedArray | pa.Array, null: str | None = None) -> tuple[Ints, pa.Array]:
    """Integer codes of a text column and the distinct texts they stand for.

    Parameters
    ----------
    column : pa.ChunkedArray or pa.Array
        Text, or dictionary-encoded text.
    null : str, optional
        Text that stands for null.

    Returns
    -------
    codes : ndarray of int64
    texts : pa.Array of string
        Sorted and without repeats: the order of codes is the order of texts.

    Raises
    ------
    ValueError
        If there is a null and no text for it.

    Examples
    --------
    >>> found, texts = codes(pa.array(["web", None, "store"]), null="(none)")
    >>> found.tolist(), texts.to_pylist()
    ([2, 0, 1], ['(none)', 'store', 'web'])
    """
    index, texts = encode(column)
    if len(index) and index.min() < 0:
        if null is None:
            raise ValueError(f"{(index < 0).sum()} nulls where there must be none")
        texts = pa.concat_arrays([texts, pa.array([null])])
        index = np.where(index < 0, len(texts) - 1, index)
    distinct = texts.unique()
    distinct = distinct.take(pc.sort_indices(distinct))
    place = pc.index_in(texts, value_set=distinct).to_numpy().astype(np.int64)
    return place[index], distinct


def encode(column: pa.ChunkedArray | pa.Array) -> tuple[Ints, pa.Array]:
    """Integer codes of a text column, -1 for null, and the texts that occur, in any order."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], encoded.type)
    index = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    texts = encoded.dictionary.cast(pa.string())
    occurs = np.bincount(index + 1, minlength=len(texts) + 1)[1:] > 0
    if not occurs.all():
        index = np.append(np.cumsum(occurs) - 1, -1)[index]
        texts = texts.filter(pa.array(occurs))
    return index, texts


def counts_rows(
    level: str,
    segment: str,
    measure: str,
    count: Ints,
    *,
    segment_value: tuple[Ints, pa.Array] | str = "all",
    source: tuple[Ints, pa.Array] | str = "",
    target: tuple[Ints, pa.Array] | str = "",
    bins: Ints | int = 0,
) -> pa.Table:
    """Make the rows of one measure; a column is one text for all rows, or (codes, texts)."""
    n = len(count)

    def text(value: tuple[Ints, pa.Array] | str) -> pa.DictionaryArray:
        places, texts = (np.zeros(n), pa.array([value])) if isinstance(value, str) else value
        return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), texts)

    columns = [text(value) for value in (level, segment, segment_value, source, target, measure)]
    place = np.broadcast_to(np.asarray(bins, dtype=np.int32), n)
    return pa.table([*columns, pa.array(place), pa.array(count)], schema=COUNTS_SCHEMA)


def sum_by(keys: Ints, values: Ints, size: int | None = None) -> tuple[Ints, Ints]:
    """Distinct keys, ascending, and the exact sum of the values of each.

    Keys that are all below a `size` not much greater than their number are added up without sorting.

    >>> sum_by(np.array([5, 2, 5]), np.array([1, 10, 100]))
    (array([2, 5]), array([ 10, 101]))
    >>> sum_by(np.array([5, 2, 5]), np.array([1, 10, -1]), size=6)
    (array([2, 5]), array([10,  0]))
    """
    if not len(keys):
        return keys, values
    if size is not None and size <= _DENSE * len(keys):
        occurs = np.zeros(size, dtype=bool)
        occurs[keys] = True
        total = np.zeros(size, dtype=np.int64)
        np.add.at(total, keys, values)
        found = np.flatnonzero(occurs)
        return found, total[found]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(starts(keys))
    return keys[first], np.add.reduceat(values[order], first)


def count_by(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Distinct keys below `size`, ascending, and how often each occurs.

    >>> count_by(np.array([5, 2, 5]), 6)
    (array([2, 5]), array([1, 2]))
    """
    if size > _DENSE * len(keys):
        return np.unique(keys, return_counts=True)
    count = np.bincount(keys, minlength=1)
    occur = np.flatnonzero(count)
    return occur, count[occur]


def starts(keys: Ints) -> NDArray[np.bool_]:
    """Where a run of equal keys begins.

    >>> starts(np.array([3, 3, 5])).tolist()
    [True, False, True]
    """
    begins = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    return begins


def join_counts(parts: Iterable[pa.Table]) -> pa.Table:
    """Counts of one measure each that have no key in common, one below the other, by measure."""
    some = (part for part in parts if len(part))
    return pa.concat_tables(
        [COUNTS_SCHEMA.empty_table(), *sorted(some, key=lambda part: part["measure"][0].as_py())]
    )


def by_measure(joined: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Each measure of joined counts and its rows; their dictionaries hold no text of other measures alone.

    >>> joined = join_counts(counts_rows("day", "all", name, np.array([3])) for name in ("lost", "back"))
    >>> [(name, rows["measure"].chunk(0).dictionary.to_pylist()) for name, rows in by_measure(joined)]
    [('back', ['back']), ('lost', ['lost'])]
    """

    def measure(part: pa.RecordBatch) -> str:
        (name,) = part["measure"].dictionary.to_pylist()
        return str(name)

    for name, parts in groupby((part for part in joined.to_batches() if len(part)), measure):
        yield name, in_one_chunk(pa.Table.from_batches(parts))


def taken_back(counts: pa.Table) -> pa.Table:
    """Counts that take those given from a sum."""
    place = counts.schema.get_field_index("count")
    return counts.set_column(place, COUNTS_SCHEMA.field("count"), pc.negate(counts["count"]))


def merge_counts(partials: Iterable[pa.Table]) -> pa.Table:
    """Add tables of counts: exact, and the same for any order and grouping of them.

    Parameters
    ----------
    partials : iterable of pa.Table of `COUNTS_SCHEMA`
        Counts of disjoint sets of customers.

    Returns
    -------
    pa.Table of `COUNTS_SCHEMA`
        Sorted by key, which is unique; without those that add up to 0.
    """
    merged = COUNTS_SCHEMA.empty_table()
    waiting: list[pa.Table] = []
    rows = 0
    for partial in partials:
        waiting.append(partial)
        rows += partial.num_rows
        if rows > _BATCH_ROWS + merged.num_rows:
            merged, waiting, rows = _add_up([merged, *waiting]), [], 0
    return _add_up([merged, *waiting])


def _add_up(tables: list[pa.Table]) -> pa.Table:
    """One integer a row, its place in mixed radix; a column of a table is turned by looking up its texts."""
    tables = [table.cast(COUNTS_SCHEMA) for table in tables if len(table)]
    if not tables:
        return COUNTS_SCHEMA.empty_table()
    count = np.concatenate([table["count"].to_numpy() for table in tables])
    key = np.zeros(len(count), np.int64)
    digits: list[tuple[int, pa.Array | None]] = []
    for name in _TEXTS:
        chunks = [chunk for table in tables for chunk in table[name].chunks]
        texts = pa.chunked_array([chunk.dictionary for chunk in chunks]).unique()
        texts = texts.take(pc.sort_indices(texts))
        nulls = sum(chunk.null_count for chunk in chunks)
        if nulls:
            raise ValueError(f"{nulls} nulls in {name}, where there must be none")
        digits.append((len(texts), texts))
        if len(texts) == 1:
            continue
        key *= len(texts)
        begin = 0
        for chunk in chunks:
            place = pc.index_in(chunk.dictionary, value_set=texts).to_numpy().astype(np.int64)
            key[begin : begin + len(chunk)] += place[chunk.indices.to_numpy()]
            begin += len(chunk)
    bins = np.concatenate([table["bin"].to_numpy() for table in tables])
    lowest = int(bins.min())
    digits.append((int(bins.max()) - lowest + 1, None))
    possible = math.prod(size for size, _ in digits)
    if possible >= 2**63:
        raise OverflowError("more than 2^63 possible keys")
    key *= digits[-1][0]
    key += bins - lowest
    del tables, bins
    key, count = sum_by(key, count, possible)
    key, count = key[count != 0], count[count != 0]
    columns: list[pa.Array] = [pa.array(count)]
    for size, texts in reversed(digits):
        places = key % size
        if texts is None:
            columns.append(pa.array((places + lowest).astype(np.int32)))
        else:
            columns.append(_encoded(places, texts))
        key //= size
    return pa.table(columns[::-1], COUNTS_SCHEMA)


def _encoded(places: Ints, texts: pa.Array) -> pa.DictionaryArray:
    """The texts at these places; the dictionary holds none that does not occur."""
    occurs = np.bincount(places, minlength=len(texts)) > 0
    if not occurs.all():
        places, texts = (np.cumsum(occurs) - 1)[places], texts.filter(pa.array(occurs))
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), texts)
