"""The walk: all persons of a chunk take one step at a time, as arrays.

In each turn every person still under way draws the next touchpoint from their persona's chain,
unless a pain point leads them astray; then the time that passes (see `pauses`); then, where a new
session begins, the device. The loop runs over steps, persons are rows: its cost is the number of
events, plus a little for each of the some hundred steps of the most active person.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from footpath.generator.pauses import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    between_journeys,
    between_sessions,
    inside_session,
    time_of_day,
)
from footpath.generator.personas import END, PERSONAS, SLOTS, START, chain, lookup_table
from footpath.generator.population import HOUSEHOLD_SLOT, KIOSK_SLOT, Population
from footpath.generator.scenario import DEVICE_TYPES, PainPoint, Scenario
from footpath.generator.touchpoints import (
    CODES,
    CONVERSIONS,
    DROP_OFF,
    LOGIN,
    PRE_PURCHASE,
    TOUCHPOINTS,
)

__all__ = ["CAMPAIGNS", "Campaign", "Steps", "epoch_ms", "walk"]


@dataclass(frozen=True)
class Campaign:
    """What brings somebody in: a name, and the usual utm source and medium."""

    name: str
    source: str
    medium: str


CAMPAIGNS: tuple[Campaign, ...] = (
    Campaign("spring_sale", "google", "cpc"),
    Campaign("brand", "google", "cpc"),
    Campaign("lookalike", "facebook", "paid_social"),
    Campaign("creators", "instagram", "paid_social"),
    Campaign("newsletter", "newsletter", "email"),
    Campaign("cart_reminder", "crm", "email"),
    Campaign("browse_reminder", "crm", "email"),
)
_ADS, _NEWSLETTER, _CART_REMINDER, _BROWSE_REMINDER = 4, 4, 5, 6


@dataclass(frozen=True)
class Steps:
    """What happened, one row an event.

    Attributes
    ----------
    person
        Row of the population.
    touchpoint
        Code of the touchpoint (`CODES`).
    time
        Event time, milliseconds since 1970-01-01 UTC; whole seconds outside the web.
    number
        Position among the person's events, from 0.
    session, journey
        Planted session and journey of the person, from 1.
    slot
        Device on which the session takes place.
    known
        Whether the person is logged in there (web).
    campaign
        Index into `CAMPAIGNS` of what led here, or of the message; -1 for none.
    message
        Number of the person's latest e-mail message.
    pain_point
        Index of the scenario's pain point that the person met here, -1 for none.
    """

    person: NDArray[np.int32]
    touchpoint: NDArray[np.int8]
    time: NDArray[np.int64]
    number: NDArray[np.int16]
    session: NDArray[np.int16]
    journey: NDArray[np.int16]
    slot: NDArray[np.int8]
    known: NDArray[np.bool_]
    campaign: NDArray[np.int8]
    message: NDArray[np.int16]
    pain_point: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.person)

    def take(self, rows: NDArray[np.int64]) -> Steps:
        """Return the given rows, in the given order."""
        return Steps(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def epoch_ms(day: dt.date) -> int:
    """Milliseconds from 1970-01-01 to the begin of a day, UTC.

    Examples
    --------
    >>> epoch_ms(dt.date(1970, 1, 2))
    86400000
    """
    return (day - dt.date(1970, 1, 1)).days * DAY


_SIZE = len(TOUCHPOINTS) + 1
_IS_WEB = np.array([touchpoint.source == "web" for touchpoint in TOUCHPOINTS] + [False])
_IS_EMAIL = np.array([touchpoint.source == "email" for touchpoint in TOUCHPOINTS] + [False])
_PRE_PURCHASE = np.array([touchpoint.stage in PRE_PURCHASE for touchpoint in TOUCHPOINTS])
_CONVERTS = np.array([touchpoint.name in CONVERSIONS for touchpoint in TOUCHPOINTS])
_APART = np.array([round(touchpoint.apart * SLOTS) for touchpoint in TOUCHPOINTS] + [SLOTS])
_COLUMNS: dict[str, type] = {
    "person": np.int32,
    "touchpoint": np.int8,
    "time": np.int64,
    "number": np.int16,
    "session": np.int16,
    "journey": np.int16,
    "slot": np.int8,
    "known": np.bool_,
    "campaign": np.int8,
    "message": np.int16,
}
"""What is written down of each event as it happens."""

_STAYS_LOGGED_IN = round(0.85 * SLOTS)
_LOGS_IN_AT_CHECKOUT = round(0.92 * SLOTS)
_LOGS_IN_ANYWHERE = round(0.02 * SLOTS)


def walk(scenario: Scenario, population: Population, rng: np.random.Generator) -> Steps:
    """Let every person walk from their first step to the end of the period.

    Parameters
    ----------
    scenario
        The period, the noise, the pain points.
    population
        Who walks.
    rng
        Source of chance of this chunk.

    Returns
    -------
    Steps
        Sorted by person and time. The last journey of a person may be cut by the end of the
        period, as in life.
    """
    size = len(population)
    first, last = epoch_ms(scenario.start), epoch_ms(scenario.end) - SECOND
    chains = np.stack([chain(kind, scenario.channels, scenario.noise) for kind in PERSONAS])
    moves = np.stack([[lookup_table(row.tolist()) for row in rows] for rows in chains]).ravel()
    pain_points = [_Trap(pain_point, chains, first, last) for pain_point in scenario.pain_points]
    devices = _device_tables(scenario)
    device_table = (population.n_devices - 1) * 2 + (population.household >= 0)

    persona = population.persona
    state = np.full(size, START, np.int8)
    time = first + rng.integers(0, last - first, (2, size)).min(axis=0)
    time = time_of_day(time - DAY, time, np.zeros(size, np.int64), _draws(rng, 1, size)[0])
    time = np.clip(time, first, last - 1)
    left = population.journeys.copy()
    converted = np.zeros(size, bool)
    session = np.zeros(size, np.int16)
    journey = np.zeros(size, np.int16)
    number = np.zeros(size, np.int16)
    message = np.zeros(size, np.int16)
    mailing = np.full(size, -1, np.int8)
    slot = np.zeros(size, np.int8)
    known = np.zeros(size, bool)
    known_on = np.zeros((size, KIOSK_SLOT + 1), bool)
    latest = np.zeros(size, np.int64)

    written: list[tuple[NDArray[np.generic], ...]] = []
    hurt: list[tuple[NDArray[np.int64], int]] = []
    count = 0
    active = np.arange(size)
    while active.size:
        draw = _draws(rng, 6, active.size)
        who, at, since = persona[active], state[active], time[active]
        to = moves[(who.astype(np.int64) * _SIZE + at) * SLOTS + draw[0]].astype(np.int8)
        for index, trap in enumerate(pain_points):
            device = population.device_type[active, slot[active]]
            caught = trap.spring(who, at, since, device, to, rng)
            hurt.append((latest[active[caught]], index))

        # Time passes.
        begins, ends = at == START, to == END
        apart = (_APART[to] > draw[1]) & ~begins
        pause = inside_session(who, at, draw[2])
        pause[apart] = between_sessions(who[apart], draw[2, apart])
        over = active[ends]
        pause[ends] = between_journeys(
            who[ends], population.journeys[over], converted[over], draw[2, ends]
        )
        pause[begins] = 0
        least = np.where(ends, np.where(converted[active], 6 * HOUR, 30 * DAY + HOUR), 31 * MINUTE)
        now = time_of_day(since, since + pause, least, draw[3])
        now -= np.where(_IS_WEB[to] | ends, 0, now % SECOND)
        state[active] = to
        time[active] = now
        state[over] = START
        left[over] -= 1
        alive = (now < last) & (left[active] > 0)

        # Those who arrive somewhere are written down.
        came = alive & ~ends
        here, to, at, begins, draw = active[came], to[came], at[came], begins[came], draw[:, came]
        fresh = begins | apart[came]
        new = begins | (converted[here] & _PRE_PURCHASE[to])
        session[here] += fresh
        journey[here] += new
        converted[here] = (converted[here] & ~new) | _CONVERTS[to]
        sent = to == CODES["email_sent"]
        message[here] += sent
        mailing[here[sent]] = np.select(
            [at[sent] == START, at[sent] == CODES["cart"]],
            [_NEWSLETTER, _CART_REMINDER],
            _BROWSE_REMINDER,
        )
        chosen = devices[device_table[here], draw[4]]
        chosen[(chosen == KIOSK_SLOT) & ~_IS_WEB[to]] = 0
        slot[here] = np.where(fresh, chosen, slot[here])
        remembered = known_on[here, slot[here]] & (draw[5] < _STAYS_LOGGED_IN)
        known[here] = np.where(fresh, remembered, known[here])
        led_here = np.where(_IS_EMAIL[to] | (at == CODES["email_click"]), mailing[here], -1)
        led_here[to == CODES["ad_landing"]] = draw[4, to == CODES["ad_landing"]] % _ADS
        latest[here] = count + np.arange(here.size)
        written.append(
            (
                *(here, to, time[here], number[here], session[here], journey[here]),
                *(slot[here], known[here], led_here, message[here]),
            )
        )
        number[here] += 1
        count += here.size

        # Some identify themselves, a moment after the step.
        eager = np.where(to == CODES["checkout"], _LOGS_IN_AT_CHECKOUT, _LOGS_IN_ANYWHERE)
        eager = np.where(population.registered[here] | (to == CODES["checkout"]), eager, 0)
        logs_in = _IS_WEB[to] & ~known[here] & (rng.integers(0, SLOTS, here.size) < eager)
        here = here[logs_in]
        known[here] = population.registered[here]
        known_on[here, slot[here]] = known[here] & (slot[here] < HOUSEHOLD_SLOT)
        login, nothing = np.full(here.size, CODES[LOGIN.name]), np.full(here.size, -1)
        soon = time[here] + 300 + draw[5, logs_in] % 600
        written.append(
            (
                *(here, login, soon, number[here], session[here], journey[here]),
                *(slot[here], known[here], nothing, message[here]),
            )
        )
        number[here] += 1
        count += here.size
        active = active[alive]

    columns = dict(zip(_COLUMNS, map(np.concatenate, zip(*written, strict=True)), strict=True))
    pain_point = np.full(count, -1, np.int8)
    for rows, index in hurt:
        pain_point[rows] = index
    steps = Steps(
        **{name: column.astype(_COLUMNS[name]) for name, column in columns.items()},
        pain_point=pain_point,
    )
    return steps.take(np.lexsort((steps.number, steps.person)))


def _draws(rng: np.random.Generator, rows: int, size: int) -> NDArray[np.uint16]:
    return rng.integers(0, SLOTS, (rows, size), dtype=np.uint16)


def _device_tables(scenario: Scenario) -> NDArray[np.int8]:
    """Slots of new sessions, by (own devices - 1) * 2 + (has a household)."""
    kiosk = scenario.kiosk_share if scenario.kiosks else 0.0
    tables = []
    for own in ((1.0, 0.0, 0.0), (0.7, 0.3, 0.0), (0.65, 0.25, 0.10)):
        for household in (0.0, 0.25):
            elsewhere = [share * (1 - household) for share in own]
            weights = [share * (1 - kiosk) for share in (*elsewhere, household)]
            tables.append(lookup_table([*weights, kiosk]))
    return np.stack(tables).astype(np.int8)


class _Trap:
    """A pain point, ready to lead persons astray.

    To add `points` to the probability p of the outcome, and `support_points` to that s of a ticket,
    a share q = (points + support_points) / (1 - p - s) of the persons is led astray: to the
    outcome with points + q p, to the ticket with the rest.
    """

    def __init__(
        self, pain_point: PainPoint, chains: NDArray[np.float64], first: int, last: int
    ) -> None:
        self.at = CODES[pain_point.touchpoint]
        self.outcome = END if pain_point.outcome == DROP_OFF else CODES[pain_point.outcome]
        self.support = CODES[pain_point.support] if pain_point.support else self.outcome
        self.device = DEVICE_TYPES.index(pain_point.device) if pain_point.device else None
        self.first = epoch_ms(pain_point.start) if pain_point.start else first
        self.last = epoch_ms(pain_point.end) + DAY if pain_point.end else last + SECOND
        outcome = chains[:, self.at, self.outcome]
        support = chains[:, self.at, self.support] if pain_point.support else 0.0 * outcome
        share = (pain_point.points + pain_point.support_points) / (1 - outcome - support)
        self.led_astray = np.rint(65_536 * share).astype(np.int64)
        self.to_outcome = np.rint(65_536 * (pain_point.points + share * outcome)).astype(np.int64)

    def spring(
        self,
        persona: NDArray[np.int8],
        at: NDArray[np.int8],
        since: NDArray[np.int64],
        device: NDArray[np.int8],
        to: NDArray[np.int8],
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Change the next touchpoint `to` of those who are caught, and return their rows."""
        exposed = (at == self.at) & (since >= self.first) & (since < self.last)
        if self.device is not None:
            exposed &= device == self.device
        rows = np.flatnonzero(exposed)
        draw = rng.integers(0, 65_536, rows.size)
        caught = draw < self.led_astray[persona[rows]]
        rows, draw = rows[caught], draw[caught]
        to[rows] = np.where(draw < self.to_outcome[persona[rows]], self.outcome, self.support)
        return rows
