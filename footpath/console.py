"""What the command line shows: progress on a terminal, plain or JSON log lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

__all__ = ["STDERR", "configure_logging", "in_words", "progress"]

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


class _Left(ProgressColumn):
    """About how long it will still take, where that can be told."""

    def __init__(self, seconds: Callable[[], float | None]) -> None:
        super().__init__()
        self._seconds = seconds

    def render(self, task: Task) -> Text:
        left = self._seconds()
        return Text(
            "" if left is None else f"about {in_words(left)} left", style="progress.remaining"
        )


def in_words(seconds: float) -> str:
    """A time to come, as exactly as it can be known.

    >>> in_words(3), in_words(42), in_words(200), in_words(9_000)
    ('10 s', '50 s', '4 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{10 * math.ceil(max(seconds, 1) / 10)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextlib.contextmanager
def progress(
    total: int, remaining: Callable[[], float | None] = lambda: None
) -> Iterator[Callable[[str], None]]:
    """A bar over named steps, with the seconds remaining if they are told; nothing where stderr is no terminal."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TimeElapsedColumn(),
        _Left(remaining),
        console=STDERR,
        transient=True,
        disable=not STDERR.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=total)

        def step(name: str) -> None:
            bar.update(task, description=name, advance=1 if bar.tasks[0].description else 0)

        yield step
