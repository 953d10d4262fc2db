"""What is exported: the rows of ``sql/export/*.sql``, and the graph of one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.errors import InputError
from sql.statements import open_database, statements

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Content", "Row", "gather", "shown_of"]

Row = dict[str, Any]
"""A row of a query, by column."""


@dataclass(frozen=True)
class Content:
    """Everything that exports are made of.

    Attributes
    ----------
    project : str
        Name of the project.
    watermark : datetime
        Up to when journeys are known, UTC.
    rows : dict of str to list of Row
        stages, cells, findings, measures, personas: as those queries give them.
    graph : nx.DiGraph
        All journeys at one level (`models.graph`).
    """

    project: str
    watermark: Any
    rows: dict[str, list[Row]]
    graph: nx.DiGraph


def shown_of(cells: Sequence[Row], most: int) -> list[Row]:
    """Those of a place's cells, commonest first, that are drawn: so many, and any more that convert or hurt."""
    return [c for i, c in enumerate(cells) if i < most or c["converts"] or c["pain_rank"]]


def gather(db_path: Path, project: str, level: str, min_share: float = 0.0) -> Content:
    """Ask a published database.

    Raises
    ------
    InputError
        There is no database at `db_path`, or no journey at that level.
    """
    from models.graph import to_graph
    from models.graph_filters import hide_moves

    with open_database(db_path) as connection:
        rows = {}
        for query in statements("export"):
            cursor = connection.execute(query.text)
            names = [column[0] for column in cursor.description or ()]
            rows[query.name] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        ((watermark,),) = connection.execute("SELECT watermark FROM settings").fetchall()
        stages, transitions = (
            connection.sql(f"FROM {table} WHERE segment = 'all'").to_arrow_table()
            for table in ("stages", "transitions")
        )
    try:
        graph = to_graph(stages, transitions, level)
    except KeyError:
        known = (
            ", ".join(sorted(set(transitions["level"].to_pylist()))) or "none, it has no journey"
        )
        raise InputError(f"{db_path}: no graph at level '{level}'; there are: {known}") from None
    return Content(project, watermark, rows, hide_moves(graph, min_share) if min_share else graph)
