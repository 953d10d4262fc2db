"""What the report says: the rows of ``sql/report/*.sql``, arranged for the page.

Arranging is all that happens here. No rate, sum or interval is computed; what a reader sees is what
an analyst gets from the same query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql.statements import open_database, statement, statements

__all__ = ["Content", "Row", "gather", "top_findings"]

Row = dict[str, Any]
"""A row of a query, by column."""

_ENDS = ("START", "CONVERSION", "DROP_OFF", "OPEN")
_MOST_MOVES = 400
_TREND_LEAST = 4


@dataclass(frozen=True)
class Content:
    """Everything the page shows.

    Attributes
    ----------
    project : Row
        The project as a whole (``sql/report/project.sql``).
    headline : list of Row
        One KPI each, with ``trend``: its values by month, or by week in a short history.
    stages : list of Row
        Columns of the map in order, each with ``cells``: entries by channel.
    channels : list of Row
        Rows of the map in order.
    flow : dict
        By level: nodes and moves of the Sankey diagram.
    findings : list of Row
        Pain points by rank.
    personas : list of Row
        Personas, largest first, each with ``features`` and ``path``.
    coverage : Row
        Journeys that personas were sought in, and those assigned.
    health : dict of str to list of Row
        accounting, dead_letter_reasons, unmatched, checks.
    """

    project: Row
    headline: list[Row]
    stages: list[Row]
    channels: list[Row]
    flow: dict[str, dict[str, list[Row]]]
    findings: list[Row]
    personas: list[Row]
    coverage: Row
    health: dict[str, list[Row]]


def gather(db_path: Path) -> Content:
    """Ask a published database everything that the report shows.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    with open_database(db_path) as connection:
        found: dict[str, list[Row]] = {}
        for query in statements("report"):
            cursor = connection.execute(query.text)
            names = [column[0] for column in cursor.description or ()]
            found[query.name] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Content(
        project=found["project"][0],
        headline=_headline(found["headline"], found["trend"]),
        stages=_columns_of_map(found["map_stages"], found["map_entries"]),
        channels=found["map_channels"],
        flow={
            level: _flow(level, found["flow_nodes"], found["flow_moves"])
            for level in ("stage", "touchpoint")
        },
        findings=found["findings"],
        personas=_personas(found["personas"], found["persona_features"], found["persona_paths"]),
        coverage=found["persona_coverage"][0],
        health={
            name: found[name]
            for name in ("accounting", "dead_letter_reasons", "unmatched", "checks")
        },
    )


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


def _headline(headline: Sequence[Row], trend: Sequence[Row]) -> list[Row]:
    """KPIs in reading order, the largest currency of each, with their history."""
    order = (
        "customers", "journeys_started", "conversion_rate",
        "orders", "revenue", "average_order_value", "sessions",
    )  # fmt: skip
    currency = next((row["unit"] for row in headline if row["measure"] == "revenue"), None)
    history = _grouped(trend, "measure", "unit", "period")
    tiles = []
    for measure in order:
        units = {row["unit"]: row for row in headline if row["measure"] == measure}
        if not units:
            continue
        tile = units.get(currency) or next(iter(units.values()))
        months = history[measure, tile["unit"], "month"]
        weeks = history[measure, tile["unit"], "week"]
        by_month = len(months) >= _TREND_LEAST
        tiles.append(
            tile | {"trend": months if by_month else weeks, "by": "month" if by_month else "week"}
        )
    return tiles


def _columns_of_map(stages: Sequence[Row], entries: Sequence[Row]) -> list[Row]:
    cells = _grouped(entries, "stage", "channel")
    return [
        stage
        | {
            "cells": {
                channel: found for (name, channel), found in cells.items() if name == stage["stage"]
            }
        }
        for stage in stages
    ]


def _flow(level: str, nodes: Sequence[Row], moves: Sequence[Row]) -> dict[str, list[Row]]:
    """Nodes in order, ends included, and the largest moves between them."""
    last = max((node["position"] for node in nodes), default=0) + 1
    ends = [
        {"node": end, "stage": None, "position": 0 if end == "START" else last} for end in _ENDS
    ]
    of_level = [node for node in nodes if node["level"] == level]
    return {
        "nodes": [ends[0], *of_level, *ends[1:]],
        "moves": [move for move in moves if move["level"] == level][:_MOST_MOVES],
    }


def _personas(personas: Sequence[Row], features: Sequence[Row], paths: Sequence[Row]) -> list[Row]:
    features_of = _grouped(features, "persona_id")
    path_of = _grouped(paths, "persona_id")
    return [
        persona
        | {
            "features": features_of[(persona["persona_id"],)],
            "path": path_of[(persona["persona_id"],)],
        }
        for persona in personas
    ]


def _grouped(rows: Iterable[Row], *keys: str) -> Mapping[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups
