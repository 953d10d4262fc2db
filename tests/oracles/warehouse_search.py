"""Where in a warehouse something can still be found: every file, as bytes and decoded.

Compression hides bytes, so cells of Parquet files, arrays and databases are looked at one by one; hashes are looked for
as text and as the numbers they are. Slow, and shares nothing with the code it judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["places_of"]


def places_of(folder: Path, texts: Iterable[str], numbers: Iterable[int] = ()) -> list[str]:
    """Files of a folder that hold one of the texts, or one of the 64-bit numbers, and where."""
    wanted = [text.lower() for text in texts]
    hashes = {int(n) for n in numbers} | {
        int(text[-16:], 16) for text in wanted if _is_hex(text[-16:])
    }
    hashes |= {n - (1 << 64) for n in hashes}  # as a signed number
    patterns = [text.encode() for text in wanted]
    patterns += [(n % (1 << 64)).to_bytes(8, order) for n in hashes for order in ("big", "little")]
    patterns += [bytes.fromhex(text) for text in wanted if len(text) == 32 and _is_hex(text)]
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        content = path.read_bytes().lower()
        found += [f"{path}: bytes {p!r}" for p in patterns if p.lower() in content]
        for place, value in _cells(path):
            if isinstance(value, str):
                found += [f"{place}: {text}" for text in wanted if text in value.lower()]
            elif value in hashes:
                found.append(f"{place}: {value}")
        found += [f"{path}: in its name" for text in wanted if text in str(path).lower()]
    return found


def _is_hex(text: str) -> bool:
    return len(text) >= 16 and all(c in "0123456789abcdef" for c in text)


def _cells(path: Path) -> Iterator[tuple[str, Any]]:
    """Every value of a file that is text or a whole number."""
    if path.suffix == ".parquet":
        table = pq.read_table(path, partitioning=None)
        for name in table.column_names:
            yield from ((f"{path} {name}", value) for value in _flat(table[name].to_pylist()))
    elif path.suffix == ".arrow":
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        for name, column in zip(table.column_names, table.columns, strict=True):
            yield from ((f"{path} {name}", value) for value in column.to_pylist())
            if pa.types.is_dictionary(column.type):  # which may hold what no row does
                words = [word for chunk in column.chunks for word in chunk.dictionary.to_pylist()]
                yield from ((f"{path} {name}", word) for word in words)
    elif path.suffix in (".npy", ".npz"):
        stored = np.load(path)
        arrays = stored.values() if path.suffix == ".npz" else [stored]
        yield from ((str(path), int(v)) for array in arrays for v in array.ravel())
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            for (name,) in con.sql("SELECT table_name FROM duckdb_tables()").fetchall():
                for row in con.sql(f'SELECT COLUMNS(*)::VARCHAR FROM "{name}"').fetchall():
                    yield from ((f"{path} {name}", value) for value in _flat(row))


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield value
        elif isinstance(value, list | tuple):
            yield from _flat(value)
