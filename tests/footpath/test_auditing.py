"""``footpath privacy audit``: whatever hides in the warehouse is found, and is not repeated."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.config import Config
from contracts.errors import CheckFailed, InputError
from footpath.auditing import audit
from tests.spine import configure

VALUES = ("Ann.O'Neil@Example.com", "+49 (30) 1234-567", "Zoë Müller")


@pytest.fixture
def project(tmp_path: Path) -> Config:
    config = configure(tmp_path)
    config.warehouse.mkdir()
    (tmp_path / "values.txt").write_text("\n".join(VALUES), encoding="utf-8")
    return config


def found(config: Config) -> str:
    """What the audit says of the project's values."""
    try:
        return "\n".join(audit(config, config.warehouse.parent / "values.txt"))
    except CheckFailed as error:
        return str(error)


def in_parquet(folder: Path) -> None:
    column = pa.array([f"x{n}" for n in range(5_000)] + ["to ann.o'neil@example.com!"])
    pq.write_table(pa.table({"page": column.dictionary_encode()}), folder / "a.parquet")


def as_a_number(folder: Path) -> None:
    pq.write_table(pa.table({"n": pa.array([49301234567], pa.int64())}), folder / "a.parquet")


def in_an_array(folder: Path) -> None:
    np.savez_compressed(folder / "a.npz", x=np.array([1, 49301234567], np.uint64))


def in_a_list(folder: Path) -> None:
    pq.write_table(pa.table({"l": [["a", "zoë müller"]]}), folder / "a.parquet")


def in_a_database(folder: Path) -> None:
    with duckdb.connect(str(folder / "a.duckdb")) as con:
        con.execute("CREATE TABLE t AS SELECT 'user ' || i AS who FROM range(5000) r(i)")
        con.execute("INSERT INTO t VALUES ('ann.o''neil@example.com')")


def escaped_in_html(folder: Path) -> None:
    (folder / "a.html").write_text(f"<p>{html.escape(VALUES[0])}</p>")


def escaped_in_json(folder: Path) -> None:
    (folder / "a.json").write_text(json.dumps({"name": VALUES[2]}))


def hashed_without_a_key(folder: Path) -> None:
    (folder / "a.txt").write_text(hashlib.sha256(VALUES[0].lower().encode()).hexdigest())


def in_a_spill(folder: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    table = pa.table({"a": ["b" * 200, "x Ann.O'Neil@Example.com " * 9]})
    with (
        pa.OSFile(str(folder / "a.arrow"), "wb") as file,
        pa.ipc.new_file(file, table.schema, options=options) as writer,
    ):
        writer.write_table(table)


def in_a_name(folder: Path) -> None:
    (folder / "+49 (30) 1234-567.txt").write_text("x")


def across_blocks(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"." * ((1 << 20) - 7) + VALUES[0].encode() + b"." * 100)


@pytest.mark.parametrize(
    ("hide", "line"),
    [
        (in_parquet, 1),
        (as_a_number, 2),
        (in_an_array, 2),
        (in_a_list, 3),
        (in_a_database, 1),
        (escaped_in_html, 1),
        (escaped_in_json, 3),
        (hashed_without_a_key, 1),
        (in_a_spill, 1),
        (in_a_name, 2),
        (across_blocks, 1),
    ],
)
def test_a_hidden_value_is_found_and_not_repeated(
    project: Config, hide: Callable[[Path], None], line: int
):
    """Compressed, escaped, as a number, hashed without a key: its file and its line are told."""
    hide(project.warehouse)
    told = found(project)
    assert f"values of line {line}" in told
    assert not any(value.lower() in told.lower() for value in (VALUES[0], VALUES[2]))


def test_where_nothing_is_nothing_is_found(project: Config):
    """Pseudonyms and what merely resembles a value are no finding."""
    (project.warehouse / "a.txt").write_text("ann.o'neil@example.co, 4930123456, zoe mueller")
    assert found(project).endswith("none was found")


def test_a_list_without_values_is_refused(project: Config):
    """An empty list proves nothing; short values are named and left out."""
    values = project.warehouse.parent / "values.txt"
    values.write_text("Bo\n\n")
    with pytest.raises(InputError, match="one a line"):
        list(audit(project, values))
    values.write_text("Bo\nann@example.com")
    assert "line 1" in next(audit(project, values))
