"""Shares as people read them, where the command line prints what the page shows."""

from __future__ import annotations

__all__ = ["percent"]


def percent(share: float | None, places: int = 0) -> str:
    """A share as a percentage that never rounds something to nothing, or to everything.

    >>> percent(0.416), percent(0.416, 1), percent(0.0004), percent(0.9996), percent(None)
    ('42%', '41.6%', '<1%', '>99%', '–')
    """
    if share is None:
        return "\N{EN DASH}"
    least = 10.0**-places
    if 0 < 100 * share < least / 2:
        return f"<{least:.{places}f}%"
    if 100 - least / 2 < 100 * share < 100:
        return f">{100 - least:.{places}f}%"
    return f"{100 * share:.{places}f}%"
