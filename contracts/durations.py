"""Durations with units, as a configuration writes them: ``30m``, ``7d``, ``1h30m``.

A bare number is refused: nobody knows whether 30 means seconds or minutes.

>>> parse_duration("1h30m")
datetime.timedelta(seconds=5400)
>>> format_duration(parse_duration("90m"))
'1h30m'
"""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["format_duration", "parse_duration"]

_UNITS_US = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_PART = re.compile(r"(\d+)\s*(ms|us|[wdhms])\s*")


def parse_duration(text: str | timedelta) -> timedelta:
    """Turn ``"30m"`` into a timedelta.

    Parameters
    ----------
    text : str or timedelta
        Whole numbers with the units w, d, h, m, s, ms, us, one after the other.

    Raises
    ------
    ValueError
        If a unit is missing or unknown, or the duration is not positive.
    """
    if isinstance(text, timedelta):
        return text
    if not isinstance(text, str):
        raise ValueError(f"{text!r} has no unit; write {text}m, {text}h or {text}d")
    stripped = text.strip()
    if re.fullmatch(r"[\d.]+", stripped):
        raise ValueError(f"{text!r} has no unit; write {stripped}m, {stripped}h or {stripped}d")
    parts = _PART.findall(stripped)
    if not parts or _PART.sub("", stripped):
        raise ValueError(f"{text!r} is not a duration; write for example 30m, 12h, 7d, 1h30m")
    total = sum(int(number) * _UNITS_US[unit] for number, unit in parts)
    if total <= 0:
        raise ValueError(f"{text!r} must be longer than zero")
    return timedelta(microseconds=total)


def format_duration(duration: timedelta) -> str:
    """Write a timedelta the way `parse_duration` reads it, with the largest units first."""
    rest = duration // timedelta(microseconds=1)
    text = ""
    for unit, size in _UNITS_US.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
