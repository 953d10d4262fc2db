"""One writer at a time: a lock on the warehouse that dies with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import LockHeld

__all__ = ["locked"]


@contextlib.contextmanager
def locked(warehouse: Path) -> Iterator[None]:
    """Hold the warehouse's lock.

    The operating system drops the lock when its holder ends, however that was, so there is no stale lock.

    Raises
    ------
    LockHeld
        If another process holds it; the message says who.
    """
    warehouse.mkdir(parents=True, exist_ok=True)
    with (warehouse / ".lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockHeld(
                f"{warehouse} is being written by {file.read().strip() or 'another process'}; "
                "wait for it to end, or stop it"
            ) from None
        file.truncate(0)
        file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%F %T} UTC"
        )
        file.flush()
        yield
