"""What the report says: the rows of ``sql/report/*.sql``, packed for the page.

Packing is all that happens here, and finding the order in which touchpoints are drawn
(`models.node_order`). No rate, sum or interval is computed; what a reader sees is what an analyst gets
from the same query. A table travels as its columns and its rows; numbers keep six digits, more than any
screen shows of a share and all that is needed of a count. In the tables that have a row for every
slice, words travel as their numbers in a list of words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from contracts.sql_text import literal
from models.node_order import order_by_moves
from sql.statements import open_database, statement, statements

__all__ = ["Table", "gather", "top_findings"]

Table = dict[str, list[Any]]
"""Columns and rows of a query: ``{"columns": [...], "rows": [[...], ...]}``, and in ``coded`` the
places of columns whose values are numbers of words."""

_SLICED = ("headline", "map_cells", "moves", "nodes", "steps")
"""Queries with a row for every slice of the journeys; the page shows those that `slices` lists."""


def gather(db_path: Path, before: Path | None = None) -> dict[str, Table]:
    """Ask a published database everything that the report shows.

    Parameters
    ----------
    db_path : Path
        A ``footpath.duckdb``.
    before : Path, optional
        The database of the version before; what changed since is told if it can be compared.

    Returns
    -------
    dict of str to Table
        The rows of every file of ``sql/report`` by its name, those of ``sql/changes`` as
        ``changes_<name>``, and two lists to which numbers refer: ``places`` (the stage, channel and
        touchpoint of a step of ``journeys``) and ``words`` (see `Table`).

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    with open_database(db_path) as connection:
        found = {query.name: _asked(connection, query.text) for query in statements("report")}
        found |= _changes(connection, before)
    shown = {tuple(row[:2]) for row in found["slices"]["rows"]}
    for name in _SLICED:
        first = found[name]["columns"].index("segment")
        found[name]["rows"] = [
            r for r in found[name]["rows"] if tuple(r[first : first + 2]) in shown
        ]
    _order_touchpoints(found["map_touchpoints"], found["moves"])
    _pack_journeys(found)
    _pack_words(found)
    return found


def top_findings(db_path: Path, n: int = 3) -> list[str]:
    """What somebody with a minute should know: pain points first, then personas and attribution.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    with open_database(db_path) as connection:
        rows = connection.execute(
            f"SELECT sentence FROM ({statement('report', 'top_findings').query}) LIMIT ?", [n]
        ).fetchall()
    return [sentence for (sentence,) in rows]


def _asked(connection: duckdb.DuckDBPyConnection, text: str) -> Table:
    cursor = connection.execute(text)
    names = [column[0] for column in cursor.description or ()]
    return {"columns": names, "rows": [[_plain(v) for v in row] for row in cursor.fetchall()]}


def _changes(connection: duckdb.DuckDBPyConnection, before: Path | None) -> dict[str, Table]:
    """What changed since the version before; nothing if it lacks what is compared."""
    if before is None:
        return {}
    connection.execute(f"ATTACH {literal(str(before))} AS before (READ_ONLY)")
    try:
        return {f"changes_{q.name}": _asked(connection, q.text) for q in statements("changes")}
    except (duckdb.BinderException, duckdb.CatalogException):
        return {}


def _order_touchpoints(touchpoints: Table, moves: Table) -> None:
    """Order those of a stage, which stand together, so that few of the moves drawn of all journeys lead back."""
    ends = [moves["columns"].index(name) for name in ("source_node", "target_node", "count")]
    every = {
        (row[ends[0]], row[ends[1]]): row[ends[2]]
        for row in moves["rows"]
        if tuple(row[:2]) == ("touchpoint", "all")
    }
    rows = {row[0]: row for row in touchpoints["rows"]}
    stages = groupby(touchpoints["rows"], key=lambda row: row[1])
    touchpoints["rows"] = [
        rows[name]
        for _, inside in stages
        for name in order_by_moves([row[0] for row in inside], every)
    ]


def _pack_journeys(found: dict[str, Table]) -> None:
    """Write journeys' steps as numbers of places, and examples as numbers of journeys."""
    journeys = found["journeys"]
    number = {row[0]: i for i, row in enumerate(journeys["rows"])}
    for name in ("map_cells", "findings"):
        column = found[name]["columns"].index("examples")
        for row in found[name]["rows"]:
            row[column] = [number[id_] for id_ in row[column] if id_ in number]
    places: dict[tuple[str, ...], int] = {}
    first = journeys["columns"].index("walked_stages")
    for row in journeys["rows"]:
        stages, channels, touchpoints, dwells, converts = row[first:]
        steps = [
            places.setdefault(place, len(places))
            for place in zip(stages, channels, touchpoints, strict=True)
        ]
        row[first:] = [
            steps,
            [None if dwell is None else round(dwell) for dwell in dwells],
            [i for i, yes in enumerate(converts) if yes],
        ]
    journeys["columns"][first:] = ["path", "dwells", "conversions"]
    found["places"] = {
        "columns": ["stage", "channel", "touchpoint"],
        "rows": [list(place) for place in places],
    }


def _pack_words(found: dict[str, Table]) -> None:
    """Write words of the sliced tables as numbers of a list of words."""
    words: dict[str, int] = {}
    for name in _SLICED:
        rows = found[name]["rows"]
        first = rows[0] if rows else []
        coded = [i for i, value in enumerate(first) if isinstance(value, str)]
        for row in rows:
            for i in coded:
                row[i] = words.setdefault(row[i], len(words))
        found[name]["coded"] = coded
    found["words"] = {"columns": ["word"], "rows": [[word] for word in words]}


def _plain(value: Any) -> Any:
    """A value as JSON has it.

    >>> _plain(0.123456789), _plain(Decimal("12.50")), _plain(date(2026, 1, 2)), _plain(7)
    (0.123457, 12.5, '2026-01-02', 7)
    """
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return float(f"{number:.6g}") if abs(number) < 100_000 else round(number, 2)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return value
