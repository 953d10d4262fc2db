"""docs/extending.md, followed to the letter in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "extending.md").read_text("utf-8")
COPIED = ("contracts", "models", "transforms", "pipelines", "sql", "footpath", "tests")
BLOCK = re.compile(
    r"(?:^`(?P<file>[^`\n]+)`(?P<append>, at its end)?\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that may be changed, with `footpath` and `python` that use it."""
    folder = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    tools = folder / "bin"
    tools.mkdir()
    for name, arguments in (("footpath", "-m footpath.cli"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        (tools / name).chmod(0o755)
    return folder


@pytest.mark.engine
def test_every_step_does_what_the_guide_says(checkout: Path) -> None:
    """Files are written, commands run in order, and where output is shown their last lines are it."""
    env = os.environ | {
        "PATH": f"{checkout / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
    }
    printed, kinds = "", []
    for block in BLOCK.finditer(GUIDE):
        kinds.append(block["kind"])
        if block["file"]:
            target = checkout / block["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            before = target.read_text("utf-8") if block["append"] else ""
            target.write_text(before + block["text"], encoding="utf-8")
        elif block["kind"] == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block["text"]],
                cwd=checkout, env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, block["text"] + done.stdout + done.stderr
            printed = done.stdout
        else:
            assert block["kind"] == "csv", block[0]
            assert printed.endswith(block["text"]), printed
    assert (kinds.count("sh"), kinds.count("csv")) == (7, 6)
