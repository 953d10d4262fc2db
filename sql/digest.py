"""A content hash of every table, the same for the same rows in any order, file or DuckDB version.

"Byte for byte equal" in this project means equal digests. A digest is that of the table's multiset
of rows, which is what sorting by key would give, without the sort:

1. a row becomes a canonical text: columns by name, each with a prefix or terminator that keeps
   neighbours apart (text by its length in bytes, ``5:store``, null as ``-``); times in microseconds
   since 1970; decimals with all their places; doubles by C's ``%.17g``, which tells any two apart,
   with -0 as 0;
2. a row's hash is the MD5 of that text, two numbers of 64 bits;
3. both are *added* over all rows, exactly. Addition commutes, so order cannot matter, and unlike
   with XOR a row that comes twice does not vanish;
4. the table's digest is the SHA-256 of its columns' names and types, its number of rows and both
   sums.

Two different tables agree by accident with probability 2**-128; the digest is no defence against
somebody who constructs a collision on purpose. Only functions with a standard behind them (MD5,
``%.17g``, decimal digits) touch the rows, never DuckDB's own ``hash``. Memory does not grow with
the table; a million touchpoints take one or two core-seconds.

Left out are bookkeeping tables, which tell of runs, and provenance columns, which tell how a row
came to us (`contracts.schemas`). What a persona is called depends on earlier versions, too
(docs/adr/0007); its id is therefore read as its place by size, wherever it stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from contracts.schemas import TABLES
from sql.publish import LARGE
from sql.statements import open_database

__all__ = ["digest", "digest_connection"]

_BOOKKEEPING = {"data_quality", *(name for name, table in TABLES.items() if table.bookkeeping)}
_PERSONA_IDS = {"persona_id", "likeliest_id", "second_id"}


def digest(
    db_path: Path, *, threads: int | None = None, memory_limit: str = "1GB"
) -> dict[str, str]:
    """Content hash of every table of a published database.

    Parameters
    ----------
    db_path : Path
        A ``footpath.duckdb``.
    threads, memory_limit
        What DuckDB may use; neither changes the result.

    Returns
    -------
    dict of str to str
        Table to 64 hexadecimal digits, by name.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    with open_database(db_path, threads=threads, memory_limit=memory_limit) as connection:
        return digest_connection(connection)


def digest_connection(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Content hash of every table of the connection's only database."""
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND view_name IN $large ORDER BY 1",
        {"large": list(LARGE)},
    ).fetchall()
    personas = _places_of_personas(connection) if ("personas",) in tables else {}
    return {
        name: _digest_table(connection, name, personas)
        for (name,) in tables
        if name not in _BOOKKEEPING
    }


def _places_of_personas(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """For each persona's id, what the digest reads in its place."""
    rows = connection.execute("SELECT persona_id, place FROM personas ORDER BY 1").fetchall()
    return {persona: f"persona {place}" for persona, place in rows}


def _digest_table(
    connection: duckdb.DuckDBPyConnection, table: str, personas: Mapping[str, str]
) -> str:
    provenance = (
        {c.name for c in TABLES[table].columns if c.provenance} if table in TABLES else set()
    )
    columns = [
        (name, kind)
        for name, kind in connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE NOT internal AND table_name = ? ORDER BY column_name",
            [table],
        ).fetchall()
        if name not in provenance
    ]
    texts = ", ".join(_canonical(name, kind) for name, kind in columns)
    placed = _with_places([name for name, _ in columns], personas)
    sums: Sequence[int] = connection.execute(
        f"""
        WITH rows AS (SELECT *{placed} FROM "{table}"),
        hashed AS (SELECT md5_number(concat({texts})) AS h FROM rows)
        SELECT
            count(*),
            coalesce(sum((h >> 64)::UBIGINT), 0),
            coalesce(sum((h & 18446744073709551615)::UBIGINT), 0)
        FROM hashed
        """
    ).fetchall()[0]
    head = "".join(f"{name} {kind}\n" for name, kind in columns)
    return hashlib.sha256((head + "\n".join(str(int(n)) for n in sums)).encode()).hexdigest()


def _with_places(columns: Sequence[str], personas: Mapping[str, str]) -> str:
    r"""SQL that puts the personas' places where their ids stand.

    >>> _with_places(["second_id"], {"p3": "persona 1"})
    ' REPLACE (CASE "second_id" WHEN \'p3\' THEN \'persona 1\' ELSE "second_id" END AS "second_id")'
    """
    held = [name for name in columns if name in _PERSONA_IDS]
    by_segment = "segment" in columns and "segment_value" in columns
    if not personas or not (held or by_segment):
        return ""
    cases = " ".join(f"WHEN '{persona}' THEN '{place}'" for persona, place in personas.items())
    replaced = [f'CASE "{name}" {cases} ELSE "{name}" END AS "{name}"' for name in held]
    if by_segment:
        value = f"CASE segment_value {cases} ELSE segment_value END"
        replaced.append(
            f"CASE WHEN segment = 'persona' THEN {value} ELSE segment_value END AS segment_value"
        )
    return f" REPLACE ({', '.join(replaced)})"


def _canonical(column: str, kind: str) -> str:
    r"""SQL of a column's canonical text, never null.

    >>> _canonical("page", "VARCHAR")
    'coalesce(strlen("page") || \':\' || "page", \'-\')'
    """
    name = '"' + column.replace('"', '""') + '"'
    if kind == "VARCHAR":
        text = f"strlen({name}) || ':' || {name}"
    elif kind == "VARCHAR[]":
        text = f"len({name}) || '[' || array_to_string(list_transform({name}, lambda x: strlen(x) || ':' || x), '')"
    elif kind == "DOUBLE":
        text = f"printf('%.17g', {name} + 0.0) || ';'"
    elif kind.startswith("TIMESTAMP"):
        text = f"epoch_us({name}) || ';'"
    elif kind in ("BOOLEAN", "INTEGER", "BIGINT", "DATE") or kind.startswith("DECIMAL"):
        text = f"{name}::VARCHAR || ';'"
    else:
        raise TypeError(f"column {column}: no canonical text is defined for the type {kind}")
    return f"coalesce({text}, '-')"
