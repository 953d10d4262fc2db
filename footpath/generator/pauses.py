"""How much time passes between two steps.

Time passes in one of three ways, and their ranges do not overlap:

================  ===========================  ===================================
pause             range                        median
================  ===========================  ===================================
inside a session  2 s to 29.5 min              `dwell_s` of the touchpoint
between sessions  31 min to 27 d               20 h
between journeys  over 30 d; or, after a       40 d; or, after a conversion, 12 d,
                  conversion, over 6 h         less for the very active
================  ===========================  ===================================

so sessions cut at a gap of 30 minutes, and journeys cut at a gap of 30 days or at the first
pre-purchase touchpoint after a conversion, are exactly the planted ones. Pauses of 20 hours and
more end at a time of day when people are about.

All arithmetic is in integer milliseconds: pauses are drawn from tables of quantiles and scaled by
whole per cents, so no machine's floating-point library matters.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from footpath.generator.personas import PERSONAS, SLOTS, lookup_table
from footpath.generator.touchpoints import TOUCHPOINTS

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "Draws",
    "between_journeys",
    "between_sessions",
    "inside_session",
    "time_of_day",
]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

Draws = NDArray[np.uint16]
"""Uniform draws from 0 to SLOTS - 1."""

Milliseconds = NDArray[np.int64]


def _lognormal(median: int, sigma: float) -> Milliseconds:
    """Quantiles of a log-normal pause, in milliseconds."""
    normal = NormalDist(0.0, sigma)
    return np.array(
        [round(median * math.exp(normal.inv_cdf((u + 0.5) / SLOTS))) for u in range(SLOTS)],
        dtype=np.int64,
    )


def _hours() -> Milliseconds:
    """Return times of day: few at night, a rise at noon, a peak in the evening."""
    weights = [2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 14, 12, 10, 10, 11, 13, 16, 19, 20, 17, 11, 5]
    hour = lookup_table(weights).astype(np.int64)
    first = np.searchsorted(hour, hour)
    width = np.searchsorted(hour, hour, side="right") - first
    return hour * HOUR + (np.arange(SLOTS) - first) * HOUR // width


_INSIDE = _lognormal(SECOND, 1.15)
_BETWEEN = _lognormal(20 * HOUR, 1.5)
_LAPSED = _lognormal(10 * DAY, 0.9)
_REPEAT = _lognormal(12 * DAY, 0.9)
_HOURS = _hours()

_DWELL = np.array(
    [
        [touchpoint.dwell_s * persona.dwell_percent // 100 for touchpoint in TOUCHPOINTS] + [0]
        for persona in PERSONAS
    ],
    dtype=np.int64,
)
_PAUSE_PERCENT = np.array([persona.pause_percent for persona in PERSONAS], dtype=np.int64)


def inside_session(
    persona: NDArray[np.int8], touchpoint: NDArray[np.int8], draw: Draws
) -> Milliseconds:
    """Pauses after a touchpoint that stay within the session: 2 s to 29.5 min."""
    pause: Milliseconds = _INSIDE[draw] * _DWELL[persona, touchpoint]
    return pause.clip(2 * SECOND, 29 * MINUTE + 30 * SECOND)


def between_sessions(persona: NDArray[np.int8], draw: Draws) -> Milliseconds:
    """Pauses that end a session but no journey: 31 min to 26 d."""
    pause: Milliseconds = _BETWEEN[draw] * _PAUSE_PERCENT[persona] // 100
    return pause.clip(31 * MINUTE, 26 * DAY)


def between_journeys(
    persona: NDArray[np.int8],
    journeys: NDArray[np.int16],
    converted: NDArray[np.bool_],
    draw: Draws,
) -> Milliseconds:
    """Pauses that end a journey.

    Over 30 d where nothing was bought, so that the silence itself ends the journey. After a
    conversion over 6 h, and the shorter the more `journeys` the person makes.
    """
    percent = _PAUSE_PERCENT[persona]
    repeat = _REPEAT[draw] * percent // 100 * 3 // (2 + journeys)
    lapsed = _LAPSED[draw] * percent // 100
    return np.where(converted, np.maximum(repeat, 6 * HOUR), 30 * DAY + HOUR + lapsed)


def time_of_day(
    since: Milliseconds, time: Milliseconds, least: Milliseconds, draw: Draws
) -> Milliseconds:
    """Move times that lie 20 h and more after `since` to a time of day when people are about.

    They stay on their day, or go to the next where less than `least` would have passed.
    """
    moved = time - time % DAY + _HOURS[draw] + time % 20_000
    moved += np.where(moved - since < least, DAY, 0)
    return np.where(time - since >= 20 * HOUR, moved, time)
