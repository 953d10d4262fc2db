"""Every example asks a question, runs on a published database and answers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sql.statements import Statement, statements
from tests.small_world import publish_small_world

EXAMPLES = statements("examples")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=150)


def test_there_are_ten() -> None:
    """Ten questions, numbered in order."""
    assert [example.name[:2] for example in EXAMPLES] == [f"{n:02}" for n in range(1, 11)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_asks_and_answers(published: Path, example: Statement) -> None:
    """The first line is a question; the grain is stated; rows come back."""
    assert "?" in example.header.split("grain:")[0]
    assert example.said("grain")
    with duckdb.connect(str(published), read_only=True) as con:
        assert con.execute(example.text).fetchall()


def test_every_statement_states_its_grain() -> None:
    """All SQL files that give rows say what a row is."""
    folders = ("tables", "views", "table_macros", "checks", "examples", "report")
    silent = [f"{f}/{s.name}" for f in folders for s in statements(f) if not s.said("grain")]
    assert silent == []
