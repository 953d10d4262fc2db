"""What looks wrong about a declaration once its records were read: warnings with the likely fix.

A path that matches nothing is no error (a field may be rare), but it is the most common mistake, and silent
nulls are how numbers go wrong.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from contracts.config import Config
from contracts.expressions import references
from contracts.loading import preset
from contracts.sources import Source
from models.source_sql import POSITION
from transforms.limits import Limits
from transforms.plan_files import list_files, plan_file
from transforms.read_records import read_slice

__all__ = ["suspicions"]

_LEAST_RECORDS = 20
_SHOWN = 12
_WHY = {
    "dead_letters": "SELECT reason, message FROM dead_letters WHERE source = '{source}' LIMIT 3",
    "quarantined": "SELECT reason, event_time FROM quarantine WHERE source = '{source}' LIMIT 3",
    "withheld": "",
}
"""The query that shows why; a source's consent says it where records are withheld."""


def suspicions(config: Config, counts: list[dict[str, Any]]) -> list[str]:
    """Warnings about the sources that were read.

    Parameters
    ----------
    counts : list of dict
        What `MapSlices` counted, a dict a batch.
    """
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    given: dict[str, Counter[str]] = defaultdict(Counter)
    for value in counts:
        totals[value["source"]].update({k: v for k, v in value.items() if isinstance(v, int)})
        given[value["source"]].update(value["given"])
    return [
        warning
        for name in sorted(totals)
        for warning in _of_source(name, config, totals[name], given[name])
    ]


def _of_source(
    name: str, config: Config, total: Counter[str], given: Counter[str]
) -> Iterator[str]:
    read = total["records_read"]
    if read < _LEAST_RECORDS:
        return
    for outcome in ("dead_letters", "quarantined", "withheld"):
        if total[outcome] == read:
            why = _WHY[outcome].format(source=name)
            hint = f'footpath query "{why}"' if why else f"sources.{name}.consent"
            names = ", ".join(_names_in(name, config)[:_SHOWN]) or "none"
            yield (
                f"sources.{name}: all {read:,} records are {outcome.replace('_', ' ')}; "
                f"for the reason see {hint}; names in the first record: {names}"
            )
            return
    source = config.sources[name]
    own = _declared_here(source)
    empty = [place for place, count in given.items() if count == 0 and place in own]
    if not empty:
        return
    known = _names_in(name, config)
    for place in sorted(empty):
        refs = own[place]
        near = sorted({n for ref in refs for n in difflib.get_close_matches(ref, known, n=2)})
        hint = f"; near names: {', '.join(near)}" if near else ""
        shown = ", ".join(repr(ref) for ref in refs) or "its expression"
        yield f"sources.{name}.{place}: {shown} matched nothing in {read:,} records{hint}"


def _declared_here(source: Source) -> dict[str, tuple[str, ...]]:
    """References by place, without what a preset brought: presets name what a vendor may send."""
    brought = source
    if source.preset:
        brought = Source.model_validate({**preset(source.preset)["source"], "paths": source.paths})
    declared = {}
    for group in ("identifiers", "attributes", "fields"):
        known = _entries(brought, group) if source.preset else {}
        for key, expression in _entries(source, group).items():
            if expression != known.get(key):
                declared[f"{group}.{key}"] = references(getattr(expression, "value", expression))
    return declared


def _entries(source: Source, group: str) -> dict[str, Any]:
    holder = getattr(source, group)
    entries = holder if isinstance(holder, dict) else vars(holder)
    return {key: value for key, value in entries.items() if value is not None}


def _names_in(name: str, config: Config) -> list[str]:
    """Paths or columns of the first record of the source's first file."""
    source = config.sources[name]
    file = next(file for file in list_files(config) if file.source == name)
    for piece in plan_file(file, config).slices:
        for batch in read_slice(piece, source, Limits.of(config.lake)):
            table = batch.table
            if "record" not in table.column_names:
                return [column for column in table.column_names if column != POSITION]
            if len(table):
                try:
                    return list(_paths("$", json.loads(table["record"][0].as_py())))
                except (ValueError, RecursionError):
                    return []
    return []


def _paths(prefix: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(f"{prefix}.{key}", inner)
    else:
        yield prefix
