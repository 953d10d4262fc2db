"""Peak memory is that of the block, of this process and of those it started."""

from __future__ import annotations

import subprocess
import sys

from pipelines.measure import PeakMemory

MB = 1 << 20
HOLD = "import time; held = bytearray(b'x' * ({} << 20)); time.sleep(1.5)"


def test_a_smaller_block_after_a_larger_one_has_a_smaller_peak():
    """The process's own peak never falls; the block's does."""
    with PeakMemory() as large:
        held = b"x" * (300 * MB)
    del held
    with PeakMemory() as small:
        pass
    assert 250 * MB < large.bytes - small.bytes < 350 * MB


def test_processes_that_were_started_count():
    """Two children that hold 100 MB each show as 200 MB more."""
    with PeakMemory() as alone:
        pass
    with PeakMemory() as together:
        children = [subprocess.Popen([sys.executable, "-c", HOLD.format(100)]) for _ in range(2)]
        assert [child.wait() for child in children] == [0, 0]
    assert together.bytes - alone.bytes > 200 * MB
