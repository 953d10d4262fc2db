"""The map and the graph in the formats of other programs.

`footpath.export.content` asks a published database (``sql/export/*.sql``); `footpath.export.picture`
draws the map (SVG, PNG, PDF); `footpath.export.diagrams` writes the graph as text (Mermaid, draw.io,
Lucidchart, DOT, GraphML); `footpath.export.summary` writes the findings as JSON. No number is computed
here: each is one of the database's.
"""

from footpath.export.files import FORMATS, export

__all__ = ["FORMATS", "export"]
