"""What can be varied in a generated world, and the pain points that can be planted in it.

A `Scenario` holds decisions only. `footpath.generator.generate` turns one into files; the same
scenario gives the same bytes on every machine, because nothing else is consulted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from footpath.generator.personas import PERSONAS
from footpath.generator.touchpoints import DROP_OFF, SOURCES, TOUCHPOINTS

__all__ = [
    "DEVICE_TYPES",
    "MOBILE_BACK_TO_CART",
    "PAYMENT_FAILURES",
    "SHIPPING_DROP_OFF",
    "PainPoint",
    "Scenario",
]

DEVICE_TYPES: tuple[str, ...] = ("desktop", "mobile", "tablet")


@dataclass(frozen=True)
class PainPoint:
    """Something that goes wrong at a touchpoint, declared as data.

    Whoever stands at `touchpoint` (on `device`, between `start` and `end`) is led astray: to
    `outcome` with `points` more probability than before, and to a ticket `support` with
    `support_points` more. All other moves shrink in proportion.

    Attributes
    ----------
    name, description
        For people, and for the truth tables.
    touchpoint
        Where it happens.
    points
        Added probability of `outcome` as the next step: 0.25 is 25 percentage points.
    outcome
        A touchpoint, or ``DROP_OFF`` for the end of the journey.
    support, support_points
        Touchpoint of the tickets that it causes, and their added probability as the next step.
    device
        Device type that it is limited to; None for all.
    start, end
        First and last day (UTC, both included); None for the ends of the period.
    """

    name: str
    touchpoint: str
    description: str
    points: float
    outcome: str = DROP_OFF
    support: str | None = None
    support_points: float = 0.0
    device: str | None = None
    start: dt.date | None = None
    end: dt.date | None = None

    def mistakes(self) -> list[str]:
        """Everything wrong with this declaration, in words; empty when it is sound."""
        names = [touchpoint.name for touchpoint in TOUCHPOINTS]
        found = []
        for attribute, allowed in (
            ("touchpoint", names),
            ("outcome", [*names, DROP_OFF]),
            ("support", [*names, None]),
            ("device", [*DEVICE_TYPES, None]),
        ):
            value = getattr(self, attribute)
            if value not in allowed:
                listed = ", ".join(str(item) for item in allowed)
                found.append(
                    f"pain point {self.name!r}: {attribute} {value!r} is not one of {listed}"
                )
        if min(self.points, self.support_points) < 0 or self.points + self.support_points > 0.9:
            found.append(
                f"pain point {self.name!r}: points {self.points} and support_points "
                f"{self.support_points} must not be negative, nor exceed 0.9 together"
            )
        if self.support_points and self.support is None:
            found.append(f"pain point {self.name!r}: support_points need a support touchpoint")
        return found


SHIPPING_DROP_OFF = PainPoint(
    name="shipping drop-off",
    touchpoint="shipping",
    description="the shipping step loses 25 in 100 more than other checkout steps; "
    "4 in 100 write a ticket about delivery",
    points=0.25,
    support="support_delivery",
    support_points=0.04,
)

MOBILE_BACK_TO_CART = PainPoint(
    name="mobile back to cart",
    touchpoint="shipping",
    description="an error sends people on mobile devices from the shipping step back to the cart",
    points=0.40,
    outcome="cart",
    device="mobile",
    start=dt.date(2026, 3, 10),
    end=dt.date(2026, 4, 12),
)

PAYMENT_FAILURES = PainPoint(
    name="payment failures",
    touchpoint="payment",
    description="the payment provider refuses good cards for three weeks; support hears of it",
    points=0.35,
    outcome="payment_failed",
    start=dt.date(2026, 4, 20),
    end=dt.date(2026, 5, 10),
)


def _default_mix() -> dict[str, float]:
    return {persona.name: persona.share for persona in PERSONAS}


@dataclass(frozen=True)
class Scenario:
    """Everything that can be varied in a generated world.

    Attributes
    ----------
    events
        Distinct events aimed at; the number written is within a few per cent. The number of
        persons follows from it.
    seed
        Decides everything that is left to chance.
    start, days
        The period, whole days in UTC.
    channels
        Sources to write; "web" is always among them. ``("web",)`` gives a pure clickstream.
    persona_mix
        Share of each persona by name; scaled to sum to one.
    noise
        Share of steps that lead anywhere by chance.
    devices_per_person
        Shares of persons with one, two and three devices of their own.
    registered_share
        Persons with an account (a user_id). The others shop as guests and are known by e-mail.
    household_share, household_size
        Persons who share a tablet with the others of their household, and how many share one.
    kiosks, kiosk_share
        Number of in-store kiosks, and the share of sessions that take place on one of them.
    null_like_share
        Share of records one of whose identifiers is "", "null", "undefined" or "0000".
    spelling_share
        Share of e-mail addresses written with capitals or spaces around them.
    anonymous_receipt_share
        Share of store receipts that name no customer.
    consent_denied_share
        Persons whose web events carry a refusal of analytics consent.
    duplicate_share, malformed_share, future_share
        Records added to each source, as a share of its events: repetitions of an event, records
        that cannot be read, records dated years ahead.
    late_share
        Share of events received in a later file than their time suggests.
    pain_points
        What is planted; ``()`` for a world where nothing hurts.
    file_days
        Days of receipts in one file. Small values give many small files, as daily loads do.
    chunk_events
        Events simulated at a time. Bounds the memory, decides how many files there are, and is
        part of what determines the bytes.
    """

    events: int = 200_000
    seed: int = 7
    start: dt.date = dt.date(2026, 1, 2)
    days: int = 180
    channels: tuple[str, ...] = SOURCES
    persona_mix: Mapping[str, float] = field(default_factory=_default_mix)
    noise: float = 0.02
    devices_per_person: tuple[float, float, float] = (0.60, 0.30, 0.10)
    registered_share: float = 0.80
    household_share: float = 0.08
    household_size: int = 2
    kiosks: int = 3
    kiosk_share: float = 0.002
    null_like_share: float = 0.003
    spelling_share: float = 0.06
    anonymous_receipt_share: float = 0.05
    consent_denied_share: float = 0.03
    duplicate_share: float = 0.01
    malformed_share: float = 0.002
    future_share: float = 0.0005
    late_share: float = 0.01
    pain_points: tuple[PainPoint, ...] = (SHIPPING_DROP_OFF,)
    file_days: int = 30
    chunk_events: int = 400_000

    def __post_init__(self) -> None:
        """Refuse an impossible scenario, naming every mistake at once."""
        mistakes = self._mistakes()
        if mistakes:
            raise ValueError("the scenario cannot be generated: " + "; ".join(mistakes))

    @property
    def end(self) -> dt.date:
        """The day after the last day of the period."""
        return self.start + dt.timedelta(days=self.days)

    def _mistakes(self) -> list[str]:
        found = []
        for name in ("events", "days", "file_days", "chunk_events"):
            if getattr(self, name) < 1:
                found.append(f"{name} is {getattr(self, name)}, must be at least 1")
        if self.household_size < 2:
            found.append(f"household_size is {self.household_size}, must be at least 2")
        for name in ("seed", "kiosks"):
            if getattr(self, name) < 0:
                found.append(f"{name} is {getattr(self, name)}, must not be negative")
        for name in self.__dataclass_fields__:
            if name == "noise" or name.endswith("_share"):
                value = getattr(self, name)
                if not 0 <= value <= 1:
                    found.append(f"{name} is {value}, must be a share between 0 and 1")
        unknown = [channel for channel in self.channels if channel not in SOURCES]
        if unknown or "web" not in self.channels:
            found.append(
                f"channels {self.channels!r} must include 'web' and be among {', '.join(SOURCES)}"
            )
        names = [persona.name for persona in PERSONAS]
        strangers = [name for name in self.persona_mix if name not in names]
        if strangers:
            found.append(
                f"persona_mix names {', '.join(map(repr, strangers))}; known: {', '.join(names)}"
            )
        for attribute, shares in (
            ("persona_mix", tuple(self.persona_mix.values())),
            ("devices_per_person", self.devices_per_person),
        ):
            if not shares or min(shares) < 0 or sum(shares) <= 0:
                found.append(f"{attribute} needs shares that are not negative and not all zero")
        for pain_point in self.pain_points:
            found.extend(pain_point.mistakes())
        return found
