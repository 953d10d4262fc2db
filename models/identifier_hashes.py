"""What an identifier is known by: 64 bits of MD5 over its namespace and value.

The hash stands for the identifier wherever no text is needed, and names the customer whose oldest identifier it
is. Among five million identifiers two share theirs with a probability of 7e-7.
"""

from __future__ import annotations

from hashlib import md5

import numpy as np
import pyarrow as pa

from contracts.sql_text import literal, md5_64
from models.engine import query

__all__ = ["identifier_hash", "identifier_hashes"]

_FEW = 2000
"""So many values are hashed one by one before a query would be done."""


def identifier_hash(namespace: str, value: str) -> np.uint64:
    """The hash of one identifier: the first 64 bits of MD5, little-endian.

    >>> hex(identifier_hash("user_id", "42"))
    '0x33dcc73ab56cc407'
    """
    text = f"{namespace}\x1f{value}".encode()
    return np.uint64(int.from_bytes(md5(text, usedforsecurity=False).digest()[:8], "little"))


def identifier_hashes(namespace: str, values: pa.StringArray) -> np.ndarray:
    """The hashes of many identifiers of a namespace, uint64.

    >>> identifier_hashes("user_id", pa.array(["42"])).tolist() == [identifier_hash("user_id", "42")]
    True
    """
    if len(values) <= _FEW:
        return np.array([identifier_hash(namespace, v) for v in values.to_pylist()], np.uint64)
    sql = f"SELECT {md5_64(f'{literal(namespace)} || chr(31) || value')} AS hash FROM texts"
    return query(sql, texts=pa.table({"value": values}))["hash"].to_numpy()
