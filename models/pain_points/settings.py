"""What the search for pain points is told beside the counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from contracts.sql_text import literal
from models.pain_points.daily import Key, StepCounts, day_of

__all__ = ["Settings"]


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
    window, pause : timedelta
        How soon something must follow; the session gap.
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

    def value_of(
        self, counts: StepCounts, key: Key, days: tuple[int, int], quiet: NDArray[np.bool_]
    ) -> float | None:
        """Value of the conversions missing at a step in a period, against the other days."""
        if self.mean_value is None:
            return None
        at = [(*key[:3], "")]
        decided, missed = (counts.daily(name).of(at)[0, 1:] for name in ("decided", "unconverted"))
        inside = np.zeros(counts.days, dtype=bool)
        inside[days[0] : days[1]] = True
        outside = ~inside & quiet[1:]
        if not decided[inside].sum() or not decided[outside].sum():
            return None
        usual = missed[outside].sum() / decided[outside].sum()
        excess = missed[inside].sum() - usual * decided[inside].sum()
        return max(float(excess), 0.0) * self.mean_value
