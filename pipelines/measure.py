"""What a stage cost: the peak of the memory that its processes held together.

The operating system keeps the peak of a process for its whole life (``ru_maxrss``), which tells
nothing of a stage that follows a larger one, and nothing of worker processes. So the resident memory of this process
and its descendants is read from ``/proc`` twenty times a second (new descendants are looked for twice a second); if
the process's own peak grew meanwhile, that exact number counts where it is greater. Where there is no ``/proc`` the
process's own peak is told. It costs 0.5% of a core.
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["PeakMemory"]

_INTERVAL_S = 0.05
_INTERVALS_A_LOOK = 10
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class PeakMemory:
    """Peak resident memory, in bytes, of this process and its descendants while the block runs.

    Memory that processes share is counted for each of them.

    Examples
    --------
    >>> with PeakMemory() as peak:
    ...     held = bytes(1_000_000)
    >>> peak.bytes > len(held)
    True
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._before = _own_peak()
        self.bytes = _resident([os.getpid()])
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watcher.join()
        after = _own_peak()
        if after > self._before or not self.bytes:
            self.bytes = max(self.bytes, after)

    def _watch(self) -> None:
        processes: list[int] = []
        for interval in itertools.count():
            if self._ended.wait(_INTERVAL_S):
                return
            if interval % _INTERVALS_A_LOOK == 0:
                processes = list(_tree(os.getpid()))
            self.bytes = max(self.bytes, _resident(processes))


def _own_peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES


def _resident(processes: Iterable[int]) -> int:
    """What the processes hold now; 0 where there is no ``/proc``."""
    pages = 0
    for process in processes:
        try:
            with open(f"/proc/{process}/statm", "rb", buffering=0) as file:
                pages += int(file.read(256).split()[1])
        except (OSError, IndexError):  # it has ended
            continue
    return pages * _PAGE_BYTES


def _tree(process: int) -> Iterator[int]:
    """A process and its descendants."""
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found = children.read_text().split()
        except OSError:
            continue
        for child in found:
            yield from _tree(int(child))
