"""Prove that every published number agrees with every other that should equal it.

A check is one file of ``sql/checks/``. Its header says what it promises and its grain; its query
returns the rows that break the promise, with a column ``problem`` that tells each in words. No row,
no problem. A query that holds ``{table}`` and ``{key}`` is asked of every table of
`contracts.schemas`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from contracts.schemas import TABLES
from sql.statements import Statement, open_database, statements

__all__ = ["CheckResult", "check_connection", "run_checks", "stored_checks"]

_SHOWN = 5


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes
    ----------
    name : str
        File of ``sql/checks``.
    promise : str
        What it proves.
    violations : int
        Rows that break the promise.
    examples : tuple of str
        The first of them in words.
    kind : str
        check; expectation (docs/adr/0011); or drift, of a source's fields.
    table : str
        Table, suite or source that it is about; of checks none.
    severity : str
        critical: a version that breaks it is not published; warning: it is, and tells so.
    """

    name: str
    promise: str
    violations: int = 0
    examples: tuple[str, ...] = ()
    kind: str = "check"
    table: str = ""
    severity: str = "critical"

    @property
    def passed(self) -> bool:
        """Whether no row breaks the promise."""
        return self.violations == 0

    @property
    def refuses(self) -> bool:
        """Whether a version with this result must not be published."""
        return not self.passed and self.severity == "critical"

    def __str__(self) -> str:
        """The result in words.

        >>> print(CheckResult("sum", "Parts add up.", 7, ("3 + 4 is not 8",)))
        sum: Parts add up. Broken by 7 rows:
            3 + 4 is not 8
            and 6 more
        """
        if self.passed:
            return f"{self.name}: {self.promise} Holds."
        rows = "1 row" if self.violations == 1 else f"{self.violations:,} rows"
        lines = [f"{self.name}: {self.promise} Broken by {rows}:", *self.examples]
        if more := self.violations - len(self.examples):
            lines.append(f"and {more:,} more")
        return "\n    ".join(lines)


def run_checks(db_path: Path, *, memory_limit: str = "1GB") -> list[CheckResult]:
    """Ask every check of a published database, by name; nothing is written.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    with open_database(db_path, memory_limit=memory_limit) as connection:
        return check_connection(connection)


def check_connection(connection: duckdb.DuckDBPyConnection) -> list[CheckResult]:
    """Ask every check of the connection's current database."""
    return [_ask(connection, check) for check in statements("checks")]


def stored_checks(db_path: Path) -> list[CheckResult]:
    """The results that were found at publication (table ``data_quality``)."""
    with open_database(db_path) as connection:
        rows = connection.execute(
            "SELECT name, promise, violations, examples, kind, table_name, severity FROM data_quality "
            "ORDER BY kind, name"
        ).fetchall()
    return [
        CheckResult(name, promise, count, tuple(told.splitlines()), kind, table, severity)
        for name, promise, count, told, kind, table, severity in rows
    ]


def _ask(connection: duckdb.DuckDBPyConnection, check: Statement) -> CheckResult:
    violations = 0
    examples: list[str] = []
    for query in _queries(check):
        broken = connection.execute(
            f"SELECT problem, count(*) OVER () FROM (\n{query}\n) ORDER BY problem LIMIT {_SHOWN}"
        ).fetchall()
        if broken:
            violations += broken[0][1]
            examples += [problem for problem, _ in broken]
    return CheckResult(check.name, check.said("promise"), violations, tuple(examples[:_SHOWN]))


def _queries(check: Statement) -> Iterator[str]:
    text = check.query
    if "{table}" not in text:
        yield text
        return
    for table in TABLES.values():
        yield text.format(table=table.name, key=", ".join(table.key))
