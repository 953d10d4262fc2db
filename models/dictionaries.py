"""Dictionary-encoded text: work done once a distinct value instead of once a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "DICTIONARY",
    "codes_of",
    "constant",
    "encode",
    "in_one_chunk",
    "map_values",
    "strip",
    "together",
]

DICTIONARY = pa.dictionary(pa.int32(), pa.string())


def encode(column: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    """One dictionary array of text or numbers, null where the column is; codes in order of appearance."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), DICTIONARY)
    encoded = pc.dictionary_encode(column)
    if isinstance(encoded, pa.ChunkedArray):
        if encoded.num_chunks == 0:
            return pa.array([], encoded.type)
        # Arrow encodes all chunks with one dictionary, so only the indices have to be joined.
        indices = pa.chunked_array([chunk.indices for chunk in encoded.chunks], pa.int32())
        return pa.DictionaryArray.from_arrays(
            indices.combine_chunks(), encoded.chunk(encoded.num_chunks - 1).dictionary
        )
    return encoded


def codes_of(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Codes of a dictionary-encoded column as int64; -1 for null."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.fill_null(whole.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def in_one_chunk(table: pa.Table) -> pa.Table:
    """A table whose columns have one chunk, and one dictionary, each: as kernels take them."""
    return table.unify_dictionaries().combine_chunks()


def together(tables: Iterable[pa.Table]) -> pa.Table:
    """Tables of one schema, one below the other, in one chunk.

    >>> parts = [pa.table({"device": encode(pa.array([name]))}) for name in ("tv", "pc")]
    >>> together(parts)["device"].chunk(0).dictionary.to_pylist()
    ['tv', 'pc']
    """
    return in_one_chunk(pa.concat_tables(tables))


def constant(value: str, length: int) -> pa.DictionaryArray:
    """The same text `length` times."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), length), [value])


def map_values(
    values: pa.DictionaryArray, function: Callable[[pa.Array], pa.Array]
) -> pa.DictionaryArray:
    """Apply `function` to the distinct values; rows whose value becomes null become null.

    >>> map_values(encode(pa.array(["a", " ", "a"])), strip).to_pylist()
    ['a', None, 'a']
    """
    mapped = function(values.dictionary)
    if mapped.null_count == 0:
        return pa.DictionaryArray.from_arrays(values.indices, mapped)
    kept = pc.is_valid(mapped)
    position = pc.subtract(pc.cumulative_sum(pc.cast(kept, pa.int32())), pa.scalar(1, pa.int32()))
    codes = pc.if_else(kept, position, None).take(values.indices)
    return pa.DictionaryArray.from_arrays(codes, mapped.drop_null())


def strip(values: pa.Array) -> pa.Array:
    """Surrounding blanks removed; null if nothing is left."""
    trimmed = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)
