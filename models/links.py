"""Links: the distinct combinations of identifiers in a set of events.

Identity is a matter of which identifiers occur together, and far fewer combinations occur than events.
A file of events keeps the number of its link on every row; who the customer is, is then found for links and
gathered by rows (docs/adr/0003). Links know their identifiers by text and by hash: whoever finds or resolves them
needs the hashes alone, and every text is hashed once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.distinct import collect, numbered
from models.identifier_hashes import combined_hashes, identifier_hashes
from models.refused_values import REFUSED

__all__ = ["hash_links", "link_events"]


def link_events(events: pa.Table, namespaces: Sequence[str]) -> tuple[np.ndarray, pa.Table]:
    """Number the distinct combinations of identifiers, and of what was refused beside them, as they are met.

    Parameters
    ----------
    events : pa.Table
        `event_time`, `_refused`, and the identifiers of each namespace as `id_<namespace>`: text, as it is or
        dictionary-encoded.

    Returns
    -------
    codes : ndarray of int32
        Link of each row.
    links : pa.Table
        One row a link: the identifiers and `_refused` as plain text, `hash_<namespace>`, `first_seen`, `last_seen`,
        `events`.
    """
    texts = [*(f"id_{name}" for name in namespaces), REFUSED]
    hashed = hash_links(events.select(texts).combine_chunks(), namespaces)
    tell_apart = [
        *(hashed[f"hash_{name}"] for name in namespaces),
        _hashes(REFUSED, hashed[REFUSED]),
    ]
    hashes = [pc.fill_null(column, 0).to_numpy() for column in tell_apart]
    codes, first = numbered(combined_hashes(hashes))
    time = events["event_time"]
    times = time.cast(pa.int64()).to_numpy()
    earliest, latest = (
        collect(function, len(first), [codes], [times]) for function in (np.minimum, np.maximum)
    )
    links = hashed.take(pa.array(first))
    for place, name in enumerate(texts):
        links = links.set_column(place, name, links[name].cast(pa.string()))
    links = links.append_column("first_seen", pa.array(earliest, time.type))
    links = links.append_column("last_seen", pa.array(latest, time.type))
    return codes, links.append_column("events", pa.array(np.bincount(codes, minlength=len(first))))


def hash_links(links: pa.Table, namespaces: Sequence[str]) -> pa.Table:
    """A column `hash_<namespace>` for each `id_<namespace>`, after the others; null for none.

    >>> hash_links(pa.table({"id_user_id": ["42", None]}), ["user_id"])["hash_user_id"].to_pylist()
    [3737080845776503815, None]
    """
    for name in namespaces:
        links = links.append_column(f"hash_{name}", _hashes(name, links[f"id_{name}"]))
    return links


def _hashes(namespace: str, column: pa.ChunkedArray) -> pa.Array:
    """The hash of each row's identifier; of dictionary-encoded text each value is hashed once."""
    whole = column.combine_chunks()
    if pa.types.is_dictionary(whole.type):
        return identifier_hashes(namespace, whole.dictionary).take(whole.indices)
    return identifier_hashes(namespace, whole)
