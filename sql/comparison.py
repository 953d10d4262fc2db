"""Two groups of journeys, named in words, and the trials that compare them.

A group is ``NAME=VALUE``: a column of `journeys` (an attribute such as ``device=mobile``, or
``entry_channel=email``), ``persona=p1``, or ``period=2024-02-29..2024-03-03`` (journeys that began on
these days, UTC). ``rest`` stands for everybody who is not in the other group.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from contracts.errors import InputError
from contracts.sql_text import literal
from sql.statements import open_database, statement

__all__ = ["REST", "group_condition", "trials_of"]

REST = "rest"


def trials_of(db_path: Path, a: str, b: str) -> tuple[pa.Table, dict[str, int]]:
    """Trials of two groups by customer, and the journeys of each.

    Returns
    -------
    trials : pa.Table
        side, measure, node, target, customer_id, n, x (``sql/compare/customer_sums.sql``).
    journeys : dict of str to int
        By side.

    Raises
    ------
    InputError
        A group can't be read, is empty, or shares journeys with the other.
    """
    with open_database(db_path) as connection:
        first, second = (
            None if group == REST else group_condition(connection, group) for group in (a, b)
        )
        if first is None and second is None:
            raise InputError("both groups are 'rest'; name one, for example device=mobile")
        first = first or f"NOT coalesce({second}, false)"
        second = second or f"NOT coalesce({first}, false)"
        connection.execute(
            f"CREATE TEMP TABLE compared AS SELECT journey_id, coalesce({first}, false) AS in_a, "
            f"coalesce({second}, false) AS in_b, CASE WHEN in_a THEN 'a' ELSE 'b' END AS side "
            "FROM journeys LEFT JOIN journey_personas USING (journey_id) WHERE in_a OR in_b"
        )
        ((of_a, of_b, both),) = connection.execute(
            "SELECT count_if(in_a), count_if(in_b), count_if(in_a AND in_b) FROM compared"
        ).fetchall()
        if both:
            raise InputError(
                f"{both:,} journeys are in both groups, {a} and {b}; name groups that exclude each "
                "other, or compare one with 'rest'"
            )
        for group, journeys in ((a, of_a), (b, of_b)):
            if not journeys:
                raise InputError(f"no journey is in group {group}")
        query = statement("compare", "customer_sums").query
        return connection.sql(query).to_arrow_table(), {"a": of_a, "b": of_b}


def group_condition(connection: duckdb.DuckDBPyConnection, group: str) -> str:
    """The SQL condition of a group on `journeys`, with `journey_personas`.

    Raises
    ------
    InputError
        Says which names and values there are.
    """
    name, equals, value = group.partition("=")
    columns = [
        column
        for (column,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'journeys' "
            "AND data_type = 'VARCHAR' ORDER BY column_index"
        ).fetchall()
        if column not in ("journey_id", "customer_id", "path")
    ]
    if not equals:
        raise InputError(
            f"'{group}' is no group; write NAME=VALUE with NAME one of period, persona, "
            f"{', '.join(columns)}, or 'rest'"
        )
    if name == "period":
        return _period(value)
    if name == "persona":
        return _one_of(connection, "persona_id", "journey_personas", name, value)
    if name not in columns:
        raise InputError(
            f"journeys have no column '{name}'; there are period, persona, {', '.join(columns)}"
        )
    return _one_of(connection, f'"{name}"', "journeys", name, value)


def _period(value: str) -> str:
    first, _, last = value.partition("..")
    try:
        begins, ends = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise InputError(
            f"period={value} can't be read; write a day, or FIRST..LAST such as "
            "period=2024-02-29..2024-03-03"
        ) from None
    after = ends + timedelta(days=1)
    return f"(started_at >= DATE '{begins}' AND started_at < DATE '{after}')"


def _one_of(
    connection: duckdb.DuckDBPyConnection, column: str, table: str, name: str, value: str
) -> str:
    known = connection.execute(
        f"SELECT {column}, count(*) FROM {table} WHERE {column} IS NOT NULL "
        "GROUP BY ALL ORDER BY 2 DESC, 1"
    ).fetchall()
    if value not in {found for found, _ in known}:
        listed = ", ".join(str(found) for found, _ in known[:20])
        raise InputError(f"no journey has {name} '{value}'; there are {listed}")
    return f"({column} = {literal(value)})"
