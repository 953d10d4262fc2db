"""What a process that runs kernels is told about its memory and its threads."""

from __future__ import annotations

import contextlib
import ctypes
import sys

import pyarrow as pa

__all__ = ["set_up_process"]

_YIELD_S = 0.0005
_KEPT_BYTES = 256 << 20
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def set_up_process() -> None:
    """Have memory managed, and the interpreter's lock passed on, as kernels need it.

    Of Arrow's allocators the one is used that gives memory back soonest, and is no slower here. glibc keeps large
    blocks for the next kernel: to get fresh ones cleared by the system takes longer than to fill them. Other C
    libraries keep to their ways. A thread that comes back from Arrow, numpy or DuckDB waits half a millisecond for
    another to yield the lock, not five.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    with contextlib.suppress(AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        set_option(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    sys.setswitchinterval(_YIELD_S)
