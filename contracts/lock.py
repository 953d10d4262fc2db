"""One writer at a time: a lock on the warehouse that dies with its process.

The operating system drops the lock when its holder ends, however that was. Who held it stands in the file, and
only a holder that ends by itself takes that out; so the next one can tell that a run was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from contracts.errors import LockHeld

__all__ = ["locked"]

_LOG = logging.getLogger("footpath")


@contextlib.contextmanager
def locked(warehouse: Path) -> Iterator[None]:
    """Hold the warehouse's lock; a lock whose holder died is taken over, and a warning says so.

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
            raise LockHeld(
                f"{warehouse} is being written by {_holder(file) or 'another process'}; "
                "wait for it to end, or stop it"
            ) from None
        if died := _holder(file):
            _LOG.warning("took over the lock of %s, which ended without giving it back", died)
        file.truncate(0)
        file.write(
            f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%F %T} UTC"
        )
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()
