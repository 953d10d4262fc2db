"""The planted personas: who walks, and by which first-order Markov chain.

All personas share one table of moves, `MOVES`. A persona bends it: every weight is multiplied by
the persona's *affinity* for the touchpoint it leads to, and journeys start by the persona's own
weights. A share of uniform noise over `WANDER` is then mixed in, so that no move of a customer is
proof of who they are.

The checkout steps are the exception: whatever the persona, each loses the same share of persons,
about one in ten, so that an unbent world holds no pain point.

Probabilities become integer lookup tables of `SLOTS` entries: a draw is one table access, and the
result depends on no machine's floating-point library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from footpath.generator.touchpoints import (
    CHECKOUT_STEPS,
    CODES,
    DROP_OFF,
    TOUCHPOINTS,
    WANDER,
)

__all__ = ["END", "MOVES", "PERSONAS", "SLOTS", "START", "Persona", "chain", "lookup_table"]

SLOTS = 4096
"""Resolution of a lookup table: probabilities are multiples of 1 / 4096."""

START = len(TOUCHPOINTS)
"""The state before a journey's first step (a row of the chain)."""

END = len(TOUCHPOINTS)
"""The end of a journey (a column of the chain)."""

MOVES: dict[str, dict[str, float]] = {
    "ad_landing": {"product": 30, "product_list": 22, "home": 10, "promotion": 6, DROP_OFF: 30},
    "home": {
        "product_list": 28, "search": 22, "product": 10, "promotion": 8, "article": 8,
        "store_locator": 4, DROP_OFF: 16,
    },
    "article": {
        "article": 20, "product": 25, "product_list": 12, "search": 8, "home": 5,
        "email_sent": 3, DROP_OFF: 18,
    },
    "promotion": {
        "product": 35, "product_list": 25, "coupon": 4, "add_to_cart": 8, DROP_OFF: 16,
    },
    "store_locator": {"store_purchase": 35, "home": 8, "product_list": 8, DROP_OFF: 36},
    "search": {"product": 40, "product_list": 15, "search": 15, "home": 4, DROP_OFF: 12},
    "product_list": {"product": 50, "product_list": 14, "search": 8, "home": 2, DROP_OFF: 10},
    "product": {
        "product": 20, "product_list": 14, "search": 6, "add_to_cart": 20, "wishlist": 4,
        "article": 5, "store_purchase": 2, "store_locator": 2, "support_question": 1.2,
        "email_sent": 4, DROP_OFF: 13,
    },
    "wishlist": {
        "product": 30, "product_list": 20, "email_sent": 12, "add_to_cart": 8, DROP_OFF: 20,
    },
    "add_to_cart": {
        "cart": 48, "product": 16, "product_list": 10, "checkout": 14, DROP_OFF: 7,
    },
    "cart": {
        "checkout": 50, "coupon": 8, "product": 10, "product_list": 6, "email_sent": 10,
        "store_purchase": 2, DROP_OFF: 12,
    },
    "coupon": {"checkout": 60, "cart": 20, DROP_OFF: 10},
    "checkout": {"address": 86, "cart": 4, DROP_OFF: 10},
    "address": {"shipping": 88, "cart": 2, DROP_OFF: 10},
    "shipping": {"payment": 88, "cart": 2, DROP_OFF: 10},
    "payment": {"order_review": 86, "payment_failed": 2, "cart": 2, DROP_OFF: 10},
    "payment_failed": {"payment": 45, "support_payment": 14, "cart": 10, DROP_OFF: 31},
    "order_review": {"purchase": 88, "cart": 2, DROP_OFF: 10},
    "purchase": {
        "order_status": 32, "review": 6, "club": 4, "support_delivery": 3, "support_return": 3,
        "share": 2, "store_return": 1, DROP_OFF: 49,
    },
    "order_status": {
        "order_status": 15, "review": 8, "support_delivery": 6, "club": 4, "support_return": 3,
        DROP_OFF: 60,
    },
    "review": {"share": 10, "club": 6, DROP_OFF: 84},
    "share": {"club": 10, DROP_OFF: 90},
    "club": {"share": 8, "order_status": 6, DROP_OFF: 86},
    "email_sent": {"email_delivered": 98, "email_bounce": 2},
    "email_delivered": {"email_open": 46, "email_spam": 0.3, DROP_OFF: 36},
    "email_open": {
        "email_click": 40, "store_purchase": 3, "home": 4, "email_unsubscribe": 2,
        "email_spam": 0.3, DROP_OFF: 34,
    },
    "email_click": {"product": 35, "promotion": 25, "product_list": 20, "home": 8, "cart": 5},
    "email_unsubscribe": {DROP_OFF: 100},
    "email_bounce": {DROP_OFF: 100},
    "email_spam": {DROP_OFF: 100},
    "store_purchase": {
        "store_return": 5, "club": 6, "support_return": 2, "review": 2, DROP_OFF: 85,
    },
    "store_return": {"support_return": 6, "club": 2, DROP_OFF: 92},
    "support_question": {
        "product": 35, "product_list": 10, "store_locator": 8, "support_question": 5,
        DROP_OFF: 36,
    },
    "support_delivery": {"support_delivery": 14, "home": 4, DROP_OFF: 82},
    "support_payment": {"support_payment": 12, "home": 12, DROP_OFF: 76},
    "support_return": {"store_return": 20, "support_return": 12, DROP_OFF: 68},
}  # fmt: skip
"""Weight of each move, before personas bend it; a row's weights need no common sum."""


@dataclass(frozen=True)
class Persona:
    """A kind of customer, as planted.

    Attributes
    ----------
    name, description
        What it is called, and what a marketer would say of it.
    share
        Share of all persons, before the scenario's own mix.
    start
        Weights of the first touchpoint of a journey.
    affinity
        Factor on every move to a touchpoint (1 where not named).
    dwell_percent, pause_percent
        Pace inside sessions and between them, against the common medians.
    devices
        Shares of desktop, mobile and tablet among their devices.
    dissatisfied
        Share of their rated tickets that are rated bad.
    """

    name: str
    description: str
    share: float
    start: Mapping[str, float]
    affinity: Mapping[str, float] = field(default_factory=dict)
    dwell_percent: int = 100
    pause_percent: int = 100
    devices: tuple[float, float, float] = (0.45, 0.45, 0.10)
    dissatisfied: float = 0.15


PERSONAS: tuple[Persona, ...] = (
    Persona(
        name="researcher",
        description="reads guides and compares for weeks on a large screen before buying",
        share=0.25,
        start={"article": 38, "search": 30, "product_list": 8, "ad_landing": 10, "home": 6,
               "email_sent": 8},
        affinity={
            "article": 5, "search": 2.2, "wishlist": 3, "support_question": 2.5,
            "add_to_cart": 0.6, "promotion": 0.3, "email_sent": 0.4, "store_purchase": 0.4,
            "coupon": 0.3, DROP_OFF: 0.7,
        },
        dwell_percent=170,
        pause_percent=180,
        devices=(0.75, 0.17, 0.08),
    ),
    Persona(
        name="bargain hunter",
        description="comes by e-mail and promotions on a phone, and buys with a coupon",
        share=0.22,
        start={"email_sent": 68, "promotion": 22, "ad_landing": 10},
        affinity={
            "promotion": 5, "coupon": 8, "email_open": 1.6, "email_click": 2.0,
            "email_sent": 1.5, "article": 0.15, "wishlist": 1.5, "store_locator": 0.4,
            "support_question": 0.4,
        },
        dwell_percent=70,
        devices=(0.15, 0.77, 0.08),
    ),
    Persona(
        name="store loyalist",
        description="looks up the store, buys there, and belongs to the loyalty club",
        share=0.18,
        start={"store_locator": 58, "email_sent": 16, "home": 16, "product": 10},
        affinity={
            "store_purchase": 6, "store_locator": 4, "club": 5, "store_return": 1.5,
            "checkout": 0.3, "add_to_cart": 0.4, "article": 0.3, "search": 0.6, "coupon": 0.5,
        },
        dwell_percent=110,
        devices=(0.30, 0.55, 0.15),
        dissatisfied=0.08,
    ),
    Persona(
        name="quick repeat buyer",
        description="knows what they want: product, cart, checkout, and soon again",
        share=0.20,
        start={"product": 40, "home": 28, "search": 16, "ad_landing": 10, "email_sent": 6},
        affinity={
            "add_to_cart": 3, "checkout": 2.2, "article": 0.1, "product_list": 0.5,
            "search": 0.6, "review": 2.5, "wishlist": 0.3, "store_locator": 0.2,
            "email_sent": 0.4, DROP_OFF: 0.6,
        },
        dwell_percent=50,
        pause_percent=50,
        devices=(0.40, 0.55, 0.05),
        dissatisfied=0.08,
    ),
    Persona(
        name="support-heavy returner",
        description="asks before buying, complains after, and sends things back",
        share=0.15,
        start={"home": 34, "ad_landing": 28, "product_list": 20, "search": 10, "email_sent": 8},
        affinity={
            "support_question": 12, "support_delivery": 5, "support_return": 8,
            "support_payment": 3, "store_return": 6, "order_status": 2.5, "article": 0.5,
            "club": 0.4, "share": 0.3, DROP_OFF: 0.8,
        },
        dwell_percent=120,
        pause_percent=80,
        devices=(0.50, 0.35, 0.15),
        dissatisfied=0.45,
    ),
)  # fmt: skip
"""Five personas; their shares sum to one."""


def chain(persona: Persona, channels: Sequence[str], noise: float) -> NDArray[np.float64]:
    """Transition probabilities of one persona.

    Parameters
    ----------
    persona
        Whose moves.
    channels
        Sources that exist in this world; moves to others are left out.
    noise
        Share of every move that goes to a touchpoint of `WANDER` by chance. Journeys never end by
        noise, and a message that was sent is always delivered or bounced.

    Returns
    -------
    ndarray of shape (touchpoints + 1, touchpoints + 1)
        Row i: from touchpoint i, the last row from START. The last column is END.
    """
    size = len(TOUCHPOINTS)
    probabilities = np.zeros((size + 1, size + 1))
    wander = [CODES[name] for name in WANDER]
    for code in range(size):
        touchpoint = TOUCHPOINTS[code]
        weights = {
            target: weight * persona.affinity.get(target, 1.0)
            for target, weight in MOVES[touchpoint.name].items()
            if target == DROP_OFF or TOUCHPOINTS[CODES[target]].source in channels
        }
        if touchpoint.name in CHECKOUT_STEPS:
            lost = MOVES[touchpoint.name][DROP_OFF] / math.fsum(MOVES[touchpoint.name].values())
            kept = math.fsum(weight for target, weight in weights.items() if target != DROP_OFF)
            weights[DROP_OFF] = kept * lost / (1 - lost)
        _set_row(probabilities[code], weights)
        if touchpoint.name != "email_sent":
            probabilities[code] *= 1 - noise
            probabilities[code, wander] += noise / len(wander)
    starts = {
        target: weight
        for target, weight in persona.start.items()
        if TOUCHPOINTS[CODES[target]].source in channels
    }
    _set_row(probabilities[START], starts)
    probabilities[START] *= 1 - noise
    probabilities[START, wander] += noise / len(wander)
    return probabilities


def _set_row(row: NDArray[np.float64], weights: Mapping[str, float]) -> None:
    total = math.fsum(weights.values())
    if total == 0:
        row[END] = 1.0
        return
    for target, weight in weights.items():
        row[END if target == DROP_OFF else CODES[target]] = weight / total


def lookup_table(weights: Sequence[float]) -> NDArray[np.uint8]:
    """Spread `SLOTS` entries over the outcomes in proportion to their weights.

    The entries left over by rounding down go to the largest remainders, the first outcome first
    among equals.

    Returns
    -------
    ndarray of shape (SLOTS,)
        ``table[u]`` is the outcome of a uniform draw ``u`` from 0 to ``SLOTS - 1``.

    Examples
    --------
    >>> table = lookup_table([1, 3])
    >>> int((table == 1).sum())
    3072
    """
    total = math.fsum(weights)
    exact = [weight * SLOTS / total for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for index in by_remainder[: SLOTS - sum(counts)]:
        counts[index] += 1
    return np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
