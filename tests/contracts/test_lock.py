"""One writer at a time, and no lock that outlives its holder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import LockHeld
from contracts.lock import locked

_HOLDER = """
import sys, time
from pathlib import Path
from contracts.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_who_holds_the_warehouse(tmp_path: Path):
    """Inside one process too; afterwards the warehouse is free."""
    with (
        locked(tmp_path / "new" / "warehouse"),
        pytest.raises(LockHeld, match=f"process {os.getpid()} on "),
        locked(tmp_path / "new/warehouse"),
    ):
        pass
    with locked(tmp_path / "new" / "warehouse"):
        pass


def test_a_failed_run_frees_the_warehouse(tmp_path: Path):
    """An exception ends the hold."""
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with locked(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_taken_over_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The operating system drops it, however the holder ended; only one that ended by itself takes its name out."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld, match=f"process {holder.pid} "), locked(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    for expected in ([f"process {holder.pid} on {socket.gethostname()} since "], []):
        caplog.clear()
        with locked(tmp_path):
            pass
        assert len(caplog.messages) == len(expected)
        assert all(text in line for text, line in zip(expected, caplog.messages, strict=True))
