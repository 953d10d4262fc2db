"""Which fields raw records have, and of what kind their values are, declared or not: what drift is seen by.

A field is a JSON path (``$.cart.items[*].price``) or a column of a file. A value's kind is number, text, boolean, list
or object; of CSV and Parquet, which are read as text, number or text. Null, and an empty field of a CSV, is no value.

Records are looked at in a sample of each batch, evenly spaced: the cost does not grow with the file, and the same batch
gives the same counts. Names of fields are data, too: digits in them become one #, so that objects which
have ids for keys are one field; an e-mail address is replaced; long names are cut.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.sql_text import identifier
from models.engine import query
from models.redaction import without_addresses
from models.source_sql import PLACE, POSITION

__all__ = ["raw_fields"]

_SAMPLE = 200
_LONGEST = 1 << 16
_LEVELS = 6
_FIELDS = 300
_NAME_LENGTH = 80
_DIGITS = re.compile(r"\d+")

_KINDS = {"VARCHAR": "text", "BOOLEAN": "boolean", "JSON": "mixed"}
_NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")


def raw_fields(raw: pa.Table) -> tuple[int, dict[str, dict[str, int]]]:
    """How many records of a batch were looked at; and for each field how many had a value, by its kind.

    Parameters
    ----------
    raw : pa.Table
        As `models.mapping.map_records` takes it: ``record``, or columns of text.

    Examples
    --------
    >>> raw_fields(pa.table({"@position": [1, 2], "record": ['{"a": 1, "b": [{"c": "x"}]}', '{"a": null}']}))
    (2, {'$.a': {'number': 1}, '$.b': {'list': 1}, '$.b[*].c': {'text': 1}})
    """
    if len(raw) > _SAMPLE:
        raw = raw.take(pa.array(np.linspace(0, len(raw) - 1, _SAMPLE).astype(np.int64)))
    if "record" in raw.column_names:
        return _of_json(raw.select(["record"]))
    return len(raw), _of_columns(raw)


def _of_json(records: pa.Table) -> tuple[int, dict[str, dict[str, int]]]:
    found = query(
        f"""
        SELECT structure, count(*) AS records FROM (
          SELECT try(json_structure(record))::VARCHAR AS structure
          FROM records WHERE strlen(record) <= {_LONGEST}
        ) WHERE structure IS NOT NULL GROUP BY structure ORDER BY structure
        """,
        records=records,
    )
    fields: dict[str, Counter[str]] = {}
    looked = 0
    for structure, count in zip(*(column.to_pylist() for column in found.columns), strict=True):
        looked += count
        for name, kind in set(_walk("$", json.loads(structure), _LEVELS)):
            fields.setdefault(name, Counter())[kind] += count
    return looked, _named(fields)


def _walk(path: str, structure: Any, levels: int) -> Iterator[tuple[str, str]]:
    """Fields below a structure, with their kinds."""
    if isinstance(structure, dict):
        if path != "$":
            yield path, "object"
        if levels:
            for key, inner in structure.items():
                yield from _walk(f"{path}.{_DIGITS.sub('#', key)}", inner, levels - 1)
    elif isinstance(structure, list):
        if path != "$":
            yield path, "list"
        if levels and structure and isinstance(structure[0], dict):
            for name, kind in _walk(f"{path}[*]", structure[0], levels - 1):
                if name != f"{path}[*]":
                    yield name, kind
    elif structure != "NULL" and path != "$":
        yield path, "number" if structure in _NUMBERS else _KINDS.get(structure, "text")


def _of_columns(raw: pa.Table) -> dict[str, dict[str, int]]:
    names = [name for name in raw.column_names if name not in (POSITION, PLACE)][:_FIELDS]
    if not names or not len(raw):
        return {}
    counts = ", ".join(
        f"count(nullif(trim({identifier(name)}), '')), count(try_cast({identifier(name)} AS DOUBLE))"
        for name in names
    )
    found = [column[0].as_py() for column in query(f"SELECT {counts} FROM raw", raw=raw).columns]
    fields = {
        name: Counter(text=found[2 * place] - found[2 * place + 1], number=found[2 * place + 1])
        for place, name in enumerate(names)
    }
    return _named(fields)


def _named(fields: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """Counts by names that may be kept, of the fields that are most often there; kinds without a value left out."""
    often = sorted(fields, key=lambda name: (-fields[name].total(), name))[:_FIELDS]
    names = without_addresses(pa.array(often, pa.string()))
    names = pc.utf8_slice_codeunits(names, 0, _NAME_LENGTH)
    kept: dict[str, Counter[str]] = {}
    for name, field in zip(names.to_pylist(), often, strict=True):
        kept.setdefault(name, Counter()).update(+fields[field])
    return {name: dict(sorted(kinds.items())) for name, kinds in sorted(kept.items()) if kinds}
