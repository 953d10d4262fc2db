"""``footpath privacy audit``: raw personal values looked for in every file of the warehouse.

Compression hides bytes, so files are decoded: cells of Parquet files and databases, arrays, record batches. All files
are searched as bytes, too, and so are their names. What is found is told by the number of its line in the list of
values: the values themselves are not repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.config import Config
from contracts.errors import CheckFailed, InputError
from models.personal_values import PersonalValues

__all__ = ["audit"]

_BLOCK = 1 << 20
_OVERLAP = 1 << 10
"""Blocks overlap by more than a value is long."""
_SHOWN = 10


def audit(config: Config, values_file: Path) -> Iterator[str]:
    """Look for every value of a file, one a line, everywhere in the warehouse; lines to print.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no value to look for.
    CheckFailed
        If a value was found.
    """
    values = _read_values(values_file)
    skipped = values.too_short
    if len(skipped) == len(values.values):
        raise InputError(f"{values_file} holds no value of 5 or more characters; write one a line")
    if skipped:
        lines = ", ".join(str(place + 1) for place in skipped[:_SHOWN])
        yield f"not looked for, for they are shorter than 5 characters: {len(skipped)} values (line {lines})"
    found: dict[str, set[int]] = defaultdict(set)
    files = sorted(
        path for path in config.warehouse.rglob("*") if path.is_file() and not path.is_symlink()
    )
    size = 0
    for path in files:
        size += path.stat().st_size
        name = str(path.relative_to(config.warehouse))
        for place, value in _in_file(path, name, values):
            found[place].add(value + 1)
    yield (
        f"{len(values.values) - len(skipped):,} values looked for in {len(files):,} files, {size:,} bytes"
    )
    if found:
        raise CheckFailed("\n".join([f"found in {len(found)} places:", *_places(found)]))
    yield "none was found"


def _read_values(path: Path) -> PersonalValues:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); give a UTF-8 text with a value a line"
        ) from None
    return PersonalValues(tuple(lines))


def _places(found: dict[str, set[int]]) -> Iterator[str]:
    for place, lines in sorted(found.items()):
        shown = ", ".join(map(str, sorted(lines)[:_SHOWN]))
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        yield f"  {place}: values of line {shown}{more}"


def _in_file(path: Path, name: str, values: PersonalValues) -> Iterator[tuple[str, int]]:
    """Pairs of a place in words and the place of a value."""
    for _, value in values.find(pa.array([name])):
        yield f"name of {name}", value
    for block in _blocks(path):
        yield from ((f"{name}, bytes", value) for _, value in values.find(pa.array([block])))
    if path.suffix == ".parquet":
        yield from _in_parquet(path, name, values)
    elif path.suffix == ".duckdb":
        from sql.cells import distinct_texts

        for column, texts in distinct_texts(path):
            yield from ((f"{name}, {column}", value) for _, value in values.find(texts))
    elif path.suffix in (".npy", ".npz"):
        for array in _arrays(path):
            numbers = np.unique(array).tolist()
            yield from ((f"{name}, numbers", value) for _, value in values.find_numbers(numbers))
    elif path.suffix == ".arrow":
        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield from _in_table(pa.table(reader.get_batch(number)), name, values)


def _blocks(path: Path) -> Iterator[bytes]:
    rest = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield rest + block
            rest = block[-_OVERLAP:]


def _in_parquet(path: Path, name: str, values: PersonalValues) -> Iterator[tuple[str, int]]:
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        yield from _in_table(file.read_row_group(group), name, values)


def _in_table(table: pa.Table, name: str, values: PersonalValues) -> Iterator[tuple[str, int]]:
    for field, column in zip(table.schema, table.columns, strict=True):
        plain = column.cast(field.type.value_type) if pa.types.is_dictionary(field.type) else column
        kind = plain.type
        nested = pa.types.is_nested(kind)
        if not (nested or pa.types.is_string(kind) or pa.types.is_integer(kind)):
            continue
        texts = (
            pa.array([str(value) for value in plain.to_pylist()])
            if nested
            else pc.unique(plain).drop_null().cast(pa.string())
        )
        yield from ((f"{name}, {field.name}", value) for _, value in values.find(texts))


def _arrays(path: Path) -> list[np.ndarray]:
    stored = np.load(path)
    return list(stored.values()) if path.suffix == ".npz" else [stored]
