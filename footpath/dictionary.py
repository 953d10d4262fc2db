"""The data dictionary and the lineage of a published database, as Markdown and as one HTML page.

Everything in it is said once elsewhere: what a table, a column or a macro means is its comment in the
database, and what it is made of is read from its SQL by DuckDB's own parser. A table that reads no other comes
from the lake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from sql.statements import Statement, open_database, statements

__all__ = ["Entry", "dictionary", "lineage", "to_html", "to_markdown", "write_dictionary"]

_TITLES = {
    "dimension": "The star: dimensions",
    "fact": "The star: facts",
    "macro": "Macros: tables with parameters",
    "function": "Macros: values",
    "table": "Tables",
    "view": "Views",
}
_FILES = ("tables", "views", "table_macros")
_OPENS = re.compile(
    r"^(?:CREATE (?:TABLE|VIEW) (\w+) AS|CREATE MACRO (\w+)\(.*\) AS TABLE|INSERT INTO (\w+) BY NAME)\n",
    re.M,
)
"""Where the SELECT of a file begins."""


@dataclass(frozen=True)
class Entry:
    """A table, view or macro.

    Attributes
    ----------
    name, kind, about : str
        Kind is a key of the page's chapters: dimension, fact, macro, function, table or view.
    columns : list of (name, type, meaning)
        Of a table or view.
    reads : list of str
        Tables and views that its SQL reads.
    example : str
        A query, if its file has one.
    parameters : list of str
        Of a macro.
    """

    name: str
    kind: str
    about: str
    columns: list[tuple[str, str, str]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    example: str = ""
    parameters: list[str] | None = None

    @property
    def signature(self) -> str:
        """The name; of a macro with its parameters.

        >>> Entry("retention", "macro", "", parameters=["unit"]).signature
        'retention(unit)'
        """
        return (
            self.name if self.parameters is None else f"{self.name}({', '.join(self.parameters)})"
        )


def dictionary(db_path: Path) -> list[Entry]:
    """Ask a published database for all it says of itself.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    files = {file.name: file for folder in _FILES for file in statements(folder)}
    with open_database(db_path) as connection:
        columns: dict[str, list[tuple[str, str, str]]] = {}
        for table, column, kind, about in connection.execute(
            "SELECT table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns() "
            "WHERE NOT internal ORDER BY table_name, column_index"
        ).fetchall():
            columns.setdefault(table, []).append((column, kind, about))
        relations = connection.execute(
            "SELECT table_name, 'table', comment FROM duckdb_tables() WHERE NOT internal UNION ALL "
            "SELECT view_name, 'view', comment FROM duckdb_views() WHERE NOT internal ORDER BY 1"
        ).fetchall()
        macros = connection.execute(
            "SELECT function_name, function_type, comment, parameters FROM duckdb_functions() "
            "WHERE NOT internal ORDER BY 1"
        ).fetchall()
        reads = _reads(connection, files.values())
    entries = []
    for name, kind, about in relations:
        star = {"dim": "dimension", "fct": "fact"}.get(name.partition("_")[0], kind)
        example = files[name].said("example") if name in files else ""
        entries.append(
            Entry(name, star, about or "", columns.get(name, []), reads.get(name, []), example)
        )
    for name, kind, about, parameters in macros:
        told = "macro" if kind == "table_macro" else "function"
        file = files.get(name)
        returns = f" Returns {file.said('columns')}." if file else ""
        example = file.said("example") if file else ""
        entries.append(
            Entry(name, told, (about or "") + returns, [], reads.get(name, []), example, parameters)
        )
    return entries


def lineage(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Pairs (what is read, what reads it), sorted."""
    return sorted((source, entry.name) for entry in entries for source in entry.reads)


def to_markdown(entries: Iterable[Entry]) -> str:
    """Write the dictionary as Markdown, the lineage as Mermaid's flowchart."""
    entries = list(entries)
    lines = [
        "# Data dictionary",
        "",
        "All times are UTC. Every count agrees with every other (`footpath check`).",
    ]
    for title, chapter in _chapters(entries):
        lines += ["", f"## {title}"]
        for entry in chapter:
            lines += ["", f"### `{entry.signature}`", "", _escaped(entry.about)]
            if entry.reads:
                lines += ["", "Made of " + ", ".join(f"`{name}`" for name in entry.reads) + "."]
            if entry.example:
                lines += ["", "```sql", entry.example, "```"]
            if any(about for *_, about in entry.columns):
                lines += ["", "| column | type | meaning |", "|---|---|---|"]
                lines += [f"| `{n}` | {k} | {_escaped(a)} |" for n, k, a in entry.columns]
    lines += ["", "## Lineage", "", "```mermaid", "flowchart LR"]
    lines += [f"    {source} --> {target}" for source, target in lineage(entries)]
    return "\n".join([*lines, "```"]) + "\n"


def to_html(entries: Iterable[Entry], project: str) -> str:
    """Write the dictionary as a page that needs no other file."""
    from jinja2 import Environment, FileSystemLoader

    entries = list(entries)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    read_by: dict[str, list[str]] = {}
    for source, target in lineage(entries):
        read_by.setdefault(source, []).append(target)
    page = environment.get_template("dictionary.html.j2")
    return page.render(project=project, chapters=list(_chapters(entries)), read_by=read_by)


def write_dictionary(db_path: Path, folder: Path, project: str) -> list[Path]:
    """Write both forms into a folder, which is made if need be; returns their paths.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    entries = dictionary(db_path)
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        folder / "dictionary.md": to_markdown(entries),
        folder / "dictionary.html": to_html(entries, project),
    }
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def _chapters(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    by_kind: Mapping[str, list[Entry]] = {kind: [] for kind in _TITLES}
    for entry in entries:
        by_kind[entry.kind].append(entry)
    return ((title, by_kind[kind]) for kind, title in _TITLES.items() if by_kind[kind])


def _reads(
    connection: duckdb.DuckDBPyConnection, files: Iterable[Statement]
) -> dict[str, list[str]]:
    """What the SQL of each table, view and macro reads; views of the lake are nobody's table."""
    macros = {file.name for file in statements("table_macros")}
    found: dict[str, set[str]] = {}
    for file in files:
        if opened := _OPENS.search(file.text):
            select = file.text[opened.end() :].partition(";\n")[0].rstrip(";\n")
            ((parsed,),) = connection.execute("SELECT json_serialize_sql(?)", [select]).fetchall()
            mine = found.setdefault(next(filter(None, opened.groups())), set())
            mine |= _tables(json.loads(parsed), macros)
    return {name: sorted(reads) for name, reads in found.items()}


def _tables(parsed: Any, macros: Set[str]) -> set[str]:
    """Tables without a schema and `macros` in a parsed SELECT, less the names that its WITH gives."""
    found: set[str] = set()
    given: set[str] = set()
    waiting = [parsed]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if part.get("type") == "BASE_TABLE" and not part["schema_name"]:
                found.add(part["table_name"])
            elif part.get("type") == "TABLE_FUNCTION":
                found |= macros & {part["function"]["function_name"]}
            given |= {entry["key"] for entry in part.get("cte_map", {}).get("map", [])}
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found - given


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
