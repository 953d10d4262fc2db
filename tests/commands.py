"""The command line as a process of its own, forked from one that has loaded its libraries once.

Loading Beam and Great Expectations takes longer than most of what tests ask of a command. What a command itself
loads when it starts cold is seen by the tests that start it cold (`tests/footpath/test_cli.py`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["footpath"]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.loaded"])


def footpath(
    *arguments: str, cwd: Path, expect: int = 0, asking: bool = True
) -> subprocess.CompletedProcess[str]:
    """What a command says and how it ends; whether it may ask Great Expectations."""
    with tempfile.TemporaryDirectory() as folder:
        told = [Path(folder, name) for name in ("stdout", "stderr")]
        process = _FORKS.Process(
            target=_command, args=(arguments, cwd, told, os.environ["FOOTPATH_KEY"], asking)
        )
        process.start()
        process.join()
        said = [path.read_text("utf-8") for path in told]
    assert process.exitcode == expect, "".join(said)
    return subprocess.CompletedProcess(arguments, expect, *said)


def _command(
    arguments: tuple[str, ...], cwd: Path, told: list[Path], key: str, asking: bool
) -> None:
    from footpath.cli import main
    from tests.spine import expectations_not_asked

    for number, path in enumerate(told, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "FOOTPATH_KEY": key})
    os.chdir(cwd)
    sys.argv = ["footpath", *arguments]
    with contextlib.nullcontext() if asking else expectations_not_asked():
        main()
