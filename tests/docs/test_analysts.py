"""Every snippet of docs/analysts.md runs on a published database."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from footpath import cli
from tests.small_world import publish_small_world

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "analysts.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
SQL, PYTHON, SHELL = (
    [text for kind, text in BLOCKS if kind == wanted] for wanted in ("sql", "python", "sh")
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=150)


def test_there_are_no_other_blocks() -> None:
    """None is left out."""
    assert len(SQL) + len(PYTHON) + len(SHELL) == len(BLOCKS) == GUIDE.count("\n```") // 2


@pytest.mark.parametrize("text", SQL)
def test_sql_answers(published: Path, text: str) -> None:
    """Each statement gives rows."""
    with duckdb.connect(str(published), read_only=True) as con:
        for statement in con.extract_statements(text):
            assert con.execute(statement).fetchall()


@pytest.mark.parametrize("text", PYTHON)
def test_python_runs(published: Path, tmp_path: Path, text: str) -> None:
    """With `database` and `folder` set."""
    exec(
        compile(text, "docs/analysts.md", "exec"), {"database": str(published), "folder": tmp_path}
    )


@pytest.mark.parametrize("text", SHELL)
def test_commands_do_what_they_say(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Each ends well, and prints something."""
    current = tmp_path / "warehouse" / "current"
    current.mkdir(parents=True)
    (current / "footpath.duckdb").symlink_to(published)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli.app, ["init"]).exit_code == 0
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        done = CliRunner().invoke(cli.app, arguments)
        assert (program, done.exit_code) == ("footpath", 0), done.output
        assert done.output
