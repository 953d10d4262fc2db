"""What the command line shows: progress on a terminal, plain or JSON log lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["STDERR", "configure_logging", "progress"]

STDERR = Console(stderr=True)


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, and whatever the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        for name in ("stage", "details", "exit_code"):
            if hasattr(record, name):
                entry[name] = getattr(record, name)
        return json.dumps(entry, default=str)


def configure_logging(log_format: str) -> None:
    """Send footpath's log to stderr, as text or as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if log_format == "json" else logging.Formatter("%(message)s"))
    log = logging.getLogger("footpath")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    # Beam warns on import that Google's cloud clients are not installed; footpath does not need them.
    logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar over named steps; shows nothing where stderr is no terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=STDERR,
        transient=True,
        disable=not STDERR.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=total)

        def step(name: str) -> None:
            bar.update(task, description=name, advance=1 if bar.tasks[0].description else 0)

        yield step
