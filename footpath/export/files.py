"""Formats by name, and the files that are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from footpath.export import diagrams, picture, summary
from footpath.export.content import Content, gather

__all__ = ["FORMATS", "export"]

FORMATS: dict[str, tuple[str, Callable[[Content], str | bytes]]] = {
    "svg": ("map.svg", picture.svg),
    "png": ("map.png", picture.png),
    "pdf": ("map.pdf", picture.pdf),
    "mermaid-journey": ("journey.mmd", diagrams.mermaid_journey),
    "mermaid-flowchart": ("flowchart.mmd", diagrams.mermaid_flowchart),
    "drawio": ("graph.drawio", diagrams.drawio),
    "lucidchart": ("lucidchart.csv", diagrams.lucidchart),
    "graphml": ("graph.graphml", diagrams.graphml),
    "dot": ("graph.dot", diagrams.dot),
    "json": ("summary.json", summary.to_json),
}
"""File name and writer of each format."""


def export(
    db_path: Path,
    folder: Path,
    formats: Sequence[str],
    *,
    project: str,
    level: str = "stage",
    min_share: float = 0.0,
) -> Iterator[Path]:
    """Write files of a published database; gives each as it is written.

    Parameters
    ----------
    formats : sequence of str
        Of `FORMATS`.
    level : str
        What a node of the graph is: stage, touchpoint, channel or session.
    min_share : float
        Moves with less than this share of their node's departures are led by way of ``other``
        (`models.graph_filters.hide_moves`), so that flow stays conserved.

    Raises
    ------
    InputError
        There is no database at `db_path`, or no journey at that level.
    """
    content = gather(db_path, project, level, min_share)
    folder.mkdir(parents=True, exist_ok=True)
    for name in formats:
        file, write = FORMATS[name]
        written = write(content)
        path = folder / file
        path.write_bytes(written if isinstance(written, bytes) else written.encode("utf-8"))
        yield path
