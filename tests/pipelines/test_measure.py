"""Peak memory is that of the block, of this process and of those it started.

Tried in processes that do nothing else: one that runs tests may give memory back at any moment.
"""

from __future__ import annotations

import subprocess
import sys

MB = 1 << 20
LARGE_THEN_SMALL = """
from pipelines.measure import PeakMemory
with PeakMemory() as large:
    held = b"x" * (300 << 20)
del held
with PeakMemory() as small:
    pass
print(large.bytes - small.bytes)
"""
ALONE_THEN_TOGETHER = """
import subprocess, sys
from pipelines.measure import PeakMemory
hold = "import time; held = bytearray(b'x' * (100 << 20)); time.sleep(1.5)"
with PeakMemory() as alone:
    pass
with PeakMemory() as together:
    children = [subprocess.Popen([sys.executable, "-c", hold]) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
print(together.bytes - alone.bytes)
"""


def outcome(program: str) -> int:
    python = [sys.executable, "-c", program]
    return int(subprocess.run(python, check=True, capture_output=True, text=True).stdout)


def test_a_smaller_block_after_a_larger_one_has_a_smaller_peak():
    """The process's own peak never falls; the block's does."""
    assert 290 * MB < outcome(LARGE_THEN_SMALL) < 310 * MB


def test_processes_that_were_started_count():
    """Two children that hold 100 MB each show as 200 MB more."""
    assert outcome(ALONE_THEN_TOGETHER) > 200 * MB
