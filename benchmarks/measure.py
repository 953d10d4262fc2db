"""Measuring a command: wall time, processor time, peak memory of all its processes together.

Memory is the proportional set size (PSS) summed over the processes of the command's group, read
from ``/proc/*/smaps_rollup``: pages that several processes share are counted once, files that are
mapped into memory are counted. Reading it walks all pages of a process, which cannot map memory
meanwhile; so every 50 ms the resident size is looked at, which costs nothing and is never less than the
PSS, and the PSS is read where the resident size is above the peak so far: at once if it has grown by 2% since the last
reading, else when 25 times as long as that reading took has passed. Linux only.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Measurement", "measure"]

_INTERVAL_S = 0.05
_GROWN = 1.02
_PAUSE = 25
"""A pause after a reading, in lengths of that reading: of a large process one takes tens of milliseconds."""
_LOOKS_A_LISTING = 10
"""The processes of the group are listed once in so many looks."""
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


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
            members, looks = [], itertools.count()
            read_at_kb, due = 0.0, 0.0
            while not ended.wait(_INTERVAL_S):
                if next(looks) % _LOOKS_A_LISTING == 0:
                    members = _group(process.pid)
                resident_kb, now = _resident_kb(members), time.perf_counter()
                if resident_kb > peak_kb and (resident_kb > _GROWN * read_at_kb or now > due):
                    peak_kb = max(peak_kb, _pss_kb(members))
                    read_at_kb, ended_at = resident_kb, time.perf_counter()
                    due = ended_at + _PAUSE * (ended_at - now)

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


def _group(group: int) -> list[Path]:
    """The processes of a group, as folders of /proc; one that ends meanwhile is left out."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                # The name in parentheses may hold blanks; state, parent and group follow it.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    members.append(entry)
    return members


def _resident_kb(members: list[Path]) -> int:
    pages = 0
    for member in members:
        with suppress(OSError):
            pages += int((member / "statm").read_text().split()[1])
    return pages * _PAGE_KB


def _pss_kb(members: list[Path]) -> int:
    total = 0
    for member in members:
        with suppress(OSError):
            for line in (member / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total
