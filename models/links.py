"""Links: the distinct combinations of identifiers in a set of events.

Identity is a matter of which identifiers occur together, and far fewer combinations occur than events.
A file of events keeps the number of its link on every row; who the customer is, is then found for links and
gathered by rows (docs/adr/0003). Links know their identifiers by text and by hash: whoever resolves them needs
the hashes alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.dictionaries import codes_of, encode
from models.identifier_hashes import identifier_hashes

__all__ = ["hash_links", "link_events"]


def link_events(events: pa.Table, identifiers: Sequence[str]) -> tuple[np.ndarray, pa.Table]:
    """Number the distinct combinations of identifiers.

    Parameters
    ----------
    events : pa.Table
        `event_time` and the identifier columns, dictionary-encoded.

    Returns
    -------
    codes : ndarray of int32
        Link of each row.
    links : pa.Table
        One row a link: the identifiers, dictionary-encoded, `first_seen`, `last_seen`, `events`.
    """
    combined, kinds = np.zeros(len(events), np.int64), 1
    for name in identifiers:
        column = events[name].combine_chunks()
        values = len(column.dictionary) + 1
        if kinds * values > np.iinfo(np.int64).max:
            combined = np.unique(combined, return_inverse=True)[1]
            kinds = len(events)
        combined = combined * values + codes_of(column) + 1
        kinds *= values
    order = np.argsort(combined)
    ordered = combined[order]
    opens = np.ones(len(order), bool)
    opens[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(opens)
    codes = np.empty(len(order), np.int32)
    codes[order] = np.cumsum(opens, dtype=np.int32) - 1
    times = events["event_time"].cast(pa.int64()).to_numpy()[order]
    first, last = (
        function.reduceat(times, starts) if len(times) else times
        for function in (np.minimum, np.maximum)
    )
    one_of_each = pa.array(order[starts])
    columns = {name: events[name].combine_chunks().take(one_of_each) for name in identifiers}
    columns |= {
        "first_seen": pa.array(first, events["event_time"].type),
        "last_seen": pa.array(last, events["event_time"].type),
        "events": pa.array(np.diff(np.append(starts, len(order)))),
    }
    return codes, pa.table(columns)


def hash_links(links: pa.Table, namespaces: Sequence[str]) -> pa.Table:
    """Links in one piece, with a column `hash_<namespace>` beside each `id_<namespace>`; null for none.

    >>> hash_links(pa.table({"id_user_id": ["42", None]}), ["user_id"])["hash_user_id"].to_pylist()
    [3737080845776503815, None]
    """
    columns = {}
    for name in links.column_names:
        column = links[name]
        columns[name] = _joined(column) if pa.types.is_dictionary(column.type) else column
    for name in namespaces:
        column = columns[f"id_{name}"]
        if not pa.types.is_dictionary(column.type):
            column = encode(column)
        hashes = pa.array(identifier_hashes(name, column.dictionary))
        columns[f"hash_{name}"] = hashes.take(column.indices)
    return pa.table(columns).combine_chunks()


def _joined(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Dictionary-encoded chunks as one, their dictionaries one after the other.

    Values that several chunks have are there several times: to find that out would take longer than to hash them.
    """
    if column.num_chunks == 0:
        return pa.array([], column.type)
    sizes = np.cumsum([0, *(len(chunk.dictionary) for chunk in column.chunks)])
    indices = [
        pc.add(chunk.indices, pa.scalar(int(size), pa.int32()))
        for chunk, size in zip(column.chunks, sizes[:-1], strict=True)
    ]
    return pa.DictionaryArray.from_arrays(
        pa.concat_arrays(indices), pa.concat_arrays([chunk.dictionary for chunk in column.chunks])
    )
