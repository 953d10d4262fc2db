"""What the search for pain points is told beside the counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.sql_text import literal
from models.pain_points.daily import day_of

__all__ = ["Outcomes", "Settings"]


class Outcomes(NamedTuple):
    """How journeys that had not converted at a step ended."""

    decided: float
    unconverted: float

    def minus(self, part: Outcomes) -> Outcomes:
        """Those of all others."""
        return Outcomes(self.decided - part.decided, self.unconverted - part.unconverted)


@dataclass(frozen=True)
class Settings:
    """Declared meanings, floors and units.

    Attributes
    ----------
    stage_of : mapping of str to str
        Declared stage of each touchpoint.
    stages : sequence of str
        Stages in order.
    contacts, errors : frozenset of str
        Touchpoints at which customers ask for help or complain; those that should not happen.
    conversions : frozenset of str
        Touchpoints that are conversions.
    min_volume : int
        Least number of journeys behind a rate.
    window, pause, gap : timedelta
        How soon something must follow; the session gap; the journey gap.
    mean_value : float or None
        Mean value of a converted journey.
    chance : mapping of str to float
        Share that converts, by touchpoint.
    """

    stage_of: Mapping[str, str]
    stages: tuple[str, ...] = ()
    contacts: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    conversions: frozenset[str] = frozenset()
    min_volume: int = 200
    window: timedelta = timedelta(days=7)
    pause: timedelta = timedelta(minutes=30)
    gap: timedelta = timedelta(days=30)
    mean_value: float | None = None
    chance: Mapping[str, float] = field(default_factory=dict)

    @property
    def window_days(self) -> int:
        """Whole days until it is known whether something followed."""
        return int(np.ceil(self.window / timedelta(days=1)))

    @property
    def least_in_period(self) -> int:
        """Journeys within an incident, at least."""
        return max(self.min_volume // 4, 20)

    @property
    def window_words(self) -> str:
        """The window in words."""
        days = self.window / timedelta(days=1)
        return f"{days:g} days" if days != 1 else "a day"

    @cached_property
    def sql(self) -> dict[str, str]:
        """The settings as SQL literals."""
        microseconds = self.window // timedelta(microseconds=1)
        return {
            "window": f"to_microseconds({microseconds})",
            "contacts": ", ".join(map(literal, sorted(self.contacts))) or "NULL",
            "pause": f"{self.pause.total_seconds():g}",
        }

    def without(self, first_day: int, quiet: NDArray[np.bool_]) -> list[str]:
        """SQL that leaves out the days of incidents already told."""
        noisy = np.flatnonzero(~quiet[1:])
        if not len(noisy):
            return []
        breaks = np.flatnonzero(np.diff(noisy) > 1)
        begins = noisy[np.append(0, breaks + 1)]
        ends = noisy[np.append(breaks, len(noisy) - 1)]
        return [
            f"NOT (visit.arrived_at >= DATE '{day_of(first_day + int(b))}' "
            f"AND visit.arrived_at < DATE '{day_of(first_day + int(e) + 1)}')"
            for b, e in zip(begins, ends, strict=True)
        ]

    def value_of(self, hit: Outcomes, others: Outcomes, share: float = 1.0) -> float | None:
        """Value of the conversions missing among a share of those hit, against the others."""
        if self.mean_value is None or not hit.decided or not others.decided:
            return None
        missing = hit.unconverted - hit.decided * others.unconverted / others.decided
        return max(missing, 0.0) * share * self.mean_value
