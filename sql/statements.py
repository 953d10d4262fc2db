"""SQL files by folder and name, and databases opened for reading.

A statement opens with comment lines. `Statement.header` is that comment without its dashes; a line
such as ``grain: journey`` in it is found by `Statement.said`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from contracts.errors import InputError

__all__ = ["Statement", "open_database", "statement", "statements"]

ROOT = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Statement:
    """One SQL file: its name, its text, and what its opening comment says."""

    name: str
    text: str

    @property
    def header(self) -> str:
        r"""The opening comment, dashes removed.

        >>> Statement("x", "-- How many?\n-- grain: journey\nSELECT 1 -- one").header
        'How many?\ngrain: journey'
        """
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return "\n".join(lines)

    @property
    def query(self) -> str:
        r"""The text without its last semicolon, to stand in brackets.

        >>> Statement("x", "SELECT 1;\n").query
        'SELECT 1'
        """
        return self.text.rstrip().removesuffix(";")

    def said(self, key: str) -> str:
        r"""What the header says after ``key:`` up to the next key, on one line; else empty.

        >>> Statement("x", "-- promise: all\n--   is well\n-- grain: journey\n").said("promise")
        'all is well'
        """
        found: list[str] = []
        inside = False
        for line in self.header.splitlines():
            word, colon, rest = line.partition(":")
            opens = bool(colon) and word.isidentifier()
            if opens:
                inside = word == key
            if inside:
                found.append((rest if opens else line).strip())
        return " ".join(found).strip()


def statement(folder: str, name: str) -> Statement:
    """The file ``sql/<folder>/<name>.sql``."""
    return Statement(name, (ROOT / folder / f"{name}.sql").read_text(encoding="utf-8"))


def statements(folder: str) -> list[Statement]:
    """All files of ``sql/<folder>/`` by name."""
    return [statement(folder, path.stem) for path in sorted((ROOT / folder).glob("*.sql"))]


@contextmanager
def open_database(
    path: Path, *, threads: int | None = None, memory_limit: str = "1GB"
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published database for reading; nothing is fetched from the network.

    Parameters
    ----------
    path : Path
        A ``footpath.duckdb``.
    threads : int, optional
        Threads DuckDB may use; default: one a core.
    memory_limit : str
        What DuckDB may hold in memory; beyond it, large operations spill to disk.

    Raises
    ------
    InputError
        There is no such file, it is no DuckDB database, or it lacks a table or column that it is asked for.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such database; `footpath publish` writes it")
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "memory_limit": memory_limit,
        "TimeZone": "UTC",
    }
    if threads is not None:
        config["threads"] = threads
    try:
        connection = duckdb.connect(str(path), read_only=True, config=config)
    except duckdb.IOException as error:
        raise InputError(f"{path}: cannot be opened as a DuckDB database: {error}") from error
    connection.execute("SET enable_progress_bar = false")
    try:
        yield connection
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        lacking = str(error).splitlines()[0]
        raise InputError(
            f"{path} has not what was asked of it ({lacking}); it may be of another version of footpath: "
            "'footpath publish' publishes it anew"
        ) from error
    finally:
        connection.close()
