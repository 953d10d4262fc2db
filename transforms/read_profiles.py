"""Profiles: what is known of customers beside their events, read and tied to the customers.

A profile file has a row a customer, an identifier and attributes. Its identifiers are normalised,
refused and hashed as those of events are, so a file with e-mail addresses finds the same customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Identity, Profile
from contracts.errors import InputError
from models.dictionaries import encode
from models.engine import connection, query
from models.identifiers import Pseudonymiser, clean_identifiers

__all__ = ["profile_hashes", "read_profiles"]

_OF_CUSTOMERS = """
SELECT customer_id, {columns}
FROM profiles JOIN identities ON identities.namespace = '{namespace}' AND identities.value = profiles.known_by
GROUP BY customer_id ORDER BY customer_id
"""


def profile_hashes(profile: Profile) -> list[str]:
    """Content hashes of the files, which tell whether they changed."""
    return sorted(sha256(path.read_bytes()).hexdigest() for path in _files(profile))


def read_profiles(
    profile: Profile,
    identity: Identity,
    pseudonymiser: Pseudonymiser | None,
    identities: pa.Table,
) -> pa.Table:
    """Attributes of customers: `customer_id` and a text column for each, null where not known.

    Where several rows are of one customer, the greatest value of each attribute counts.

    Raises
    ------
    InputError
        If the paths match no file, or a file lacks a declared column.
    """
    ((namespace, column),) = profile.identifiers.items()
    wanted = (column, *profile.columns)
    rows = pa.concat_tables([_read(path, wanted) for path in _files(profile)])
    known_by = clean_identifiers(encode(rows[column]), namespace, identity, pseudonymiser)
    rows = rows.set_column(0, "known_by", known_by.values.cast(pa.string()))
    greatest = ", ".join(f'max("{name}") AS "{name}"' for name in profile.columns)
    sql = _OF_CUSTOMERS.format(columns=greatest, namespace=namespace)
    identities = identities.filter(pc.equal(identities["namespace"], namespace))
    return query(sql, profiles=rows, identities=identities)


def _files(profile: Profile) -> list[Path]:
    found = sorted(
        {match for path in profile.paths for match in Path(path).parent.glob(Path(path).name)}
    )
    if not found:
        raise InputError(
            f"personas.profile.paths: {', '.join(profile.paths)} matches no file; correct the path, "
            "or leave the profile out"
        )
    return found


def _read(path: Path, wanted: Sequence[str]) -> pa.Table:
    """The wanted columns of a file as text; an empty text or NA is null."""
    reader = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    options = "" if path.suffix == ".parquet" else ", all_varchar = true"
    source = f"{reader}('{str(path).replace(chr(39), chr(39) * 2)}'{options})"
    found = [name for name, *_ in connection().execute(f"DESCRIBE FROM {source}").fetchall()]
    if missing := [name for name in wanted if name not in found]:
        raise InputError(
            f"personas.profile: {path} has no column {', '.join(missing)}; "
            f"it has {', '.join(found)}"
        )
    column = """nullif(nullif("{0}"::VARCHAR, ''), 'NA') AS "{0}" """
    return query(f"SELECT {', '.join(map(column.format, wanted))} FROM {source}")
