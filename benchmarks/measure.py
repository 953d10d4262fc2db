"""Measuring a command: wall time, processor time, peak memory of all its processes together.

Memory is the proportional set size (PSS) summed over the processes of the command's group, read
from ``/proc/*/smaps_rollup`` every 50 ms: pages that several processes share are counted once,
files that are mapped into memory are counted. Linux only.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measurement", "measure"]

_INTERVAL_S = 0.05


@dataclass(frozen=True)
class Measurement:
    """What a command took."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(
    command: Sequence[str], env: Mapping[str, str] | None = None, log: Path | None = None
) -> Measurement:
    """Run a command in a process group of its own.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    env : mapping, optional
        Added to this process's environment.
    log : Path, optional
        File for what the command prints.

    Raises
    ------
    RuntimeError
        If the command fails; with the end of its log.
    """
    peak_kb = 0
    with open(log or os.devnull, "wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak_kb
            while not ended.wait(_INTERVAL_S):
                peak_kb = max(peak_kb, _group_pss_kb(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        ended.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_text("utf-8", "replace")[-2000:] if log else ""
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}\n{tail}")
    return Measurement(wall_s, usage.ru_utime + usage.ru_stime, peak_kb / 1024)


def _group_pss_kb(group: int) -> int:
    """Sum the PSS of the processes of a group, kB; one that ends meanwhile counts nothing."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            # The name in parentheses may hold blanks; state, parent and group follow it.
            if int((entry / "stat").read_text().rpartition(")")[2].split()[2]) != group:
                continue
            for line in (entry / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except (OSError, IndexError):
            continue
    return total
