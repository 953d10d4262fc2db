"""Worlds with a planted pain, walked at once by all journeys.

A world is a Markov chain over touchpoints whose rates differ from seed to seed, with attributes,
days, waits and satisfaction; a plant changes it for some journeys. `walk` gives the steps and
journeys that `models.step_counts` and `models.transition_counts` read. Nothing of footpath's search
is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

Row = dict[str, float]
Chain = dict[str, Row]

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 182
OPENING, CLOSING = 8, 22


@dataclass(frozen=True)
class World:
    """A chain with meanings. A row's weights leave what is missing to 1 to the journey's end."""

    name: str
    stage_of: dict[str, str]
    stages: tuple[str, ...]
    conversion: str
    chain: Chain
    wait_s: dict[str, float]
    """Median time to go on."""
    contacts: frozenset[str] = frozenset()
    errors: frozenset[str] = frozenset()
    satisfaction: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plant:
    """A pain (or a good thing) planted in a world, and how it should be told."""

    name: str
    world: str
    step: str
    """The step that 2,000 journeys come to."""
    change: Callable[[World], World]
    hits: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    """Which journeys: by device (0, 1), day and hour of their start."""
    nodes: frozenset[str]
    """A finding that names one of these, as node or target, tells of it."""
    segment: tuple[str, str] = ("all", "all")
    begins: date | None = None
    ends: date | None = None
    kinds: frozenset[str] = frozenset()
    longer: float = 1.0
    """Factor of the wait at `step`."""


def _rows(
    rng: np.random.Generator, weights: Mapping[str, Row], leave: Mapping[str, tuple[float, float]]
) -> Chain:
    """Rows of a chain from weights, each shaken by a tenth, and the range of shares that leave."""
    chain: Chain = {}
    for node, row in weights.items():
        low, high = leave.get(node, (0.0, 0.0))
        stay = 1 - rng.uniform(low, high)
        shaken = {to: w * rng.lognormal(0, 0.1) for to, w in row.items()}
        total = sum(shaken.values())
        chain[node] = {to: w / total * stay for to, w in shaken.items()}
    return chain


def shop(rng: np.random.Generator) -> World:
    """An online shop: browsing, a checkout of five steps, service."""
    weights = {
        "START": {"ad": 3, "home": 4, "newsletter": 2, "search": 2},
        "ad": {"product": 3, "home": 2},
        "home": {"search": 2, "list": 3, "product": 1},
        "newsletter": {"product": 3, "home": 1},
        "search": {"product": 4, "list": 1},
        "list": {"product": 4, "search": 1},
        "product": {"list": 1, "search": 1, "cart": 4},
        "cart": {"address": 8, "product": 1},
        "address": {"shipping": 9, "cart": 0.4},
        "shipping": {"payment": 9, "cart": 0.4},
        "payment": {"review_order": 9, "payment_failed": 0.1, "cart": 0.2},
        "payment_failed": {"payment": 5, "support_ticket": 1},
        "review_order": {"purchase": 9, "cart": 0.2},
        "purchase": {"delivery": 8, "support_ticket": 0.3},
        "delivery": {"rating": 2, "support_ticket": 0.4},
        "support_ticket": {"delivery": 1},
        "rating": {},
    }
    leave = dict.fromkeys(("ad", "home", "newsletter", "search", "list", "product"), (0.1, 0.4))
    leave |= dict.fromkeys(("cart", "address", "shipping", "payment", "review_order"), (0.05, 0.1))
    leave |= {"payment_failed": (0.2, 0.3), "purchase": (0.1, 0.2), "delivery": (0.5, 0.6)}
    leave |= {"support_ticket": (0.6, 0.8), "rating": (1.0, 1.0)}
    stage_of = dict.fromkeys(("ad", "home", "newsletter"), "awareness")
    stage_of |= dict.fromkeys(("search", "list", "product"), "consideration")
    stage_of |= dict.fromkeys(
        ("cart", "address", "shipping", "payment", "payment_failed", "review_order", "purchase"),
        "purchase",
    )
    stage_of |= {"delivery": "service", "support_ticket": "service", "rating": "advocacy"}
    wait = dict.fromkeys(stage_of, 45.0) | {
        "newsletter": 3_600.0, "purchase": 86_400.0, "delivery": 172_800.0, "support_ticket": 40_000.0,
    }  # fmt: skip
    return World(
        "shop", stage_of,
        ("awareness", "consideration", "purchase", "service", "loyalty", "advocacy"), "purchase",
        _rows(rng, weights, leave), wait, frozenset({"support_ticket"}), frozenset({"payment_failed"}),
        {"purchase": 0.75, "delivery": 0.72, "rating": 0.75, "support_ticket": 0.68},
    )  # fmt: skip


def business(rng: np.random.Generator) -> World:
    """Software sold to companies: content, evaluation, a demo, a contract."""
    onward = {"demo_request": 1.2}
    weights = {
        "START": {"ad": 3, "blog": 3, "referral": 1},
        "ad": {"product_page": 4, "blog": 1},
        "blog": {"product_page": 3, "webinar": 1, "case_study": 1},
        "referral": {"product_page": 3, "pricing": 1},
        "product_page": {"pricing": 3, "webinar": 2, "case_study": 2, "comparison": 2},
        "pricing": {"webinar": 2, "case_study": 2, "comparison": 2, "product_page": 1} | onward,
        "webinar": {"pricing": 2, "case_study": 2, "comparison": 2, "product_page": 1} | onward,
        "case_study": {"pricing": 2, "webinar": 2, "comparison": 2, "product_page": 1} | onward,
        "comparison": {"pricing": 2, "webinar": 2, "case_study": 2, "product_page": 1} | onward,
        "demo_request": {"demo": 8},
        "demo": {"offer": 6},
        "offer": {"contract": 5},
        "contract": {},
    }
    leave = dict.fromkeys(("ad", "blog", "referral", "product_page"), (0.2, 0.4))
    leave |= dict.fromkeys(("pricing", "webinar", "case_study", "comparison"), (0.25, 0.35))
    leave |= {
        "demo_request": (0.1, 0.15),
        "demo": (0.3, 0.4),
        "offer": (0.3, 0.4),
        "contract": (1.0, 1.0),
    }
    stage_of = dict.fromkeys(("ad", "blog", "referral"), "awareness")
    stage_of |= dict.fromkeys(
        ("product_page", "pricing", "webinar", "case_study", "comparison"), "evaluation"
    )
    stage_of |= dict.fromkeys(("demo_request", "demo", "offer", "contract"), "decision")
    wait = dict.fromkeys(stage_of, 7200.0) | {
        "demo_request": 50_000.0,
        "demo": 90_000.0,
        "offer": 150_000.0,
    }
    return World(
        "business", stage_of, ("awareness", "evaluation", "decision"), "contract",
        _rows(rng, weights, leave), wait,
    )  # fmt: skip


def telecom(rng: np.random.Generator) -> World:
    """A mobile contract: choose, order, get the card, activate, use."""
    weights = {
        "START": {"ad": 3, "website": 4},
        "ad": {"website": 1},
        "website": {"tariffs": 3, "coverage": 1},
        "coverage": {"tariffs": 1},
        "tariffs": {"order": 3, "coverage": 1},
        "order": {"delivery": 9, "hotline": 0.4},
        "delivery": {"activation": 9, "hotline": 0.4},
        "activation": {"first_use": 9, "hotline": 0.4},
        "hotline": {"activation": 1, "delivery": 1, "first_use": 2},
        "first_use": {"first_bill": 9, "hotline": 0.4},
        "first_bill": {"hotline": 0.1, "recommend": 1},
        "recommend": {},
    }
    leave = dict.fromkeys(("ad", "website", "coverage", "tariffs"), (0.2, 0.4))
    leave |= dict.fromkeys(("order", "delivery", "activation", "first_use"), (0.03, 0.06))
    leave |= {"hotline": (0.2, 0.3), "first_bill": (0.6, 0.7), "recommend": (1.0, 1.0)}
    stage_of = {"ad": "awareness", "website": "consideration", "coverage": "consideration"}
    stage_of |= {"tariffs": "consideration", "order": "purchase"}
    stage_of |= dict.fromkeys(
        ("delivery", "activation", "hotline", "first_use", "first_bill"), "service"
    )
    stage_of |= {"recommend": "advocacy"}
    wait = dict.fromkeys(stage_of, 90.0) | {
        "order": 100_000.0, "delivery": 40_000.0, "activation": 3_600.0, "first_use": 400_000.0,
        "hotline": 20_000.0, "first_bill": 90_000.0,
    }  # fmt: skip
    return World(
        "telecom", stage_of,
        ("awareness", "consideration", "purchase", "service", "loyalty", "advocacy"), "order",
        _rows(rng, weights, leave), wait, frozenset({"hotline"}), frozenset(),
        {n: float(rng.normal(0.74, 0.02)) for n in ("order", "delivery", "activation", "first_use", "hotline")},
    )  # fmt: skip


def store(rng: np.random.Generator) -> World:
    """A store with a fitting room and a queue, and its leaflet."""
    weights = {
        "START": {"leaflet": 2, "entrance": 6},
        "leaflet": {"entrance": 1},
        "entrance": {"shelf": 5, "advice": 1},
        "shelf": {"fitting_room": 2, "advice": 1, "queue": 3},
        "advice": {"fitting_room": 1, "queue": 2},
        "fitting_room": {"queue": 3, "shelf": 1},
        "queue": {"till": 9},
        "till": {"return_desk": 0.5, "survey": 1},
        "return_desk": {},
        "survey": {},
    }
    leave = {
        "leaflet": (0.3, 0.5),
        "entrance": (0.1, 0.2),
        "shelf": (0.1, 0.2),
        "advice": (0.1, 0.2),
    }
    leave |= {"fitting_room": (0.1, 0.2), "queue": (0.02, 0.05), "till": (0.8, 0.85)}
    leave |= {"return_desk": (1.0, 1.0), "survey": (1.0, 1.0)}
    stage_of = {"leaflet": "awareness", "entrance": "consideration", "shelf": "consideration"}
    stage_of |= {"advice": "consideration", "fitting_room": "consideration"}
    stage_of |= {
        "queue": "purchase",
        "till": "purchase",
        "return_desk": "service",
        "survey": "advocacy",
    }
    wait = dict.fromkeys(stage_of, 240.0) | {"leaflet": 90_000.0, "till": 150_000.0, "queue": 150.0}
    return World(
        "store", stage_of,
        ("awareness", "consideration", "purchase", "service", "loyalty", "advocacy"), "till",
        _rows(rng, weights, leave), wait,
        satisfaction={"till": 0.75, "survey": 0.74, "return_desk": 0.7},
    )  # fmt: skip


WORLDS = {make.__name__: make for make in (shop, business, telecom, store)}


def _with(world: World, node: str, row: Row, **more: object) -> World:
    return replace(world, chain=world.chain | {node: row}, **more)


def _moved(row: Row, share: float, to: str) -> Row:
    """A share of all who come goes elsewhere, taken from all ways in proportion."""
    stay = sum(row.values())
    moved = {node: p * (stay - share) / stay for node, p in row.items()}
    if to:
        moved[to] = moved.get(to, 0.0) + share
    return moved


def _fail_payments(world: World) -> World:
    row = _moved(world.chain["payment"], 0.3, "payment_failed")
    after = {"support_ticket": 0.4, "payment": 0.2, "cart": 0.1}
    return replace(world, chain=world.chain | {"payment": row, "payment_failed": after})


def _frustrate(world: World) -> World:
    row = _moved(world.chain["activation"], 0.12, "hotline")
    content = world.satisfaction | {"activation": world.satisfaction["activation"] - 0.2}
    return _with(world, "activation", row, satisfaction=content)


def _convince(world: World) -> World:
    row = dict(world.chain["case_study"])
    asked = row.pop("demo_request")
    return _with(world, "case_study", _moved(row, asked, "") | {"demo_request": 2 * asked})


_INCIDENT = (80, 101)


def _everybody(device: np.ndarray, day: np.ndarray, hour: np.ndarray) -> np.ndarray:
    return np.ones(len(device), dtype=bool)


PLANTS = (
    Plant(
        "15 points more abandonment at shipping", "shop", "shipping",
        lambda w: _with(w, "shipping", _moved(w.chain["shipping"], 0.15, "")),
        _everybody, frozenset({"shipping"}), kinds=frozenset({"excess_drop_off"}),
    ),
    Plant(
        "an error sends mobile users back to the cart", "shop", "shipping",
        lambda w: _with(w, "shipping", _moved(w.chain["shipping"], 0.2, "cart")),
        lambda device, day, hour: device == 0, frozenset({"shipping"}), ("device", "mobile"),
        kinds=frozenset({"return", "loop"}),
    ),
    Plant(
        "payment failures for three weeks", "shop", "payment", _fail_payments,
        lambda device, day, hour: (day >= _INCIDENT[0]) & (day < _INCIDENT[1]),
        frozenset({"payment", "payment_failed", "support_ticket"}),
        begins=(BEGIN + timedelta(days=_INCIDENT[0])).date(),
        ends=(BEGIN + timedelta(days=_INCIDENT[1] - 1)).date(),
        kinds=frozenset({"error", "contact", "lost_conversion", "detour"}),
    ),
    Plant(
        "case studies double demo requests", "business", "case_study", _convince, _everybody,
        frozenset({"case_study"}), kinds=frozenset({"opportunity"}),
    ),
    Plant(
        "frustration in service activation", "telecom", "activation", _frustrate, _everybody,
        frozenset({"activation"}), kinds=frozenset({"low_satisfaction", "contact"}),
    ),
    Plant(
        "waiting at peak hours in stores", "store", "queue", lambda w: w,
        lambda device, day, hour: (hour >= 17) & (hour < 20), frozenset({"queue"}),
        ("hour", "17-20"), kinds=frozenset({"long_wait"}), longer=3.0,
    ),
)  # fmt: skip


def journeys_for(world: World, step: str, through: int) -> int:
    """Journeys of which `through` come to the step, about."""
    names = [*world.stage_of]
    place = {n: i for i, n in enumerate(names)}
    q = np.zeros((len(names), len(names)))
    entry = np.zeros(len(names))
    for source, row in world.chain.items():
        for to, p in row.items():
            if source == "START":
                entry[place[to]] = p
            else:
                q[place[source], place[to]] = p
    visits = np.linalg.inv(np.eye(len(names)) - q)
    reach = entry @ visits[:, place[step]] / visits[place[step], place[step]]
    return round(through / reach)


def walk(
    world: World, journeys: int, rng: np.random.Generator, plant: Plant | None = None
) -> tuple[pa.Table, pa.Table]:
    """Steps and journeys, two of three of their own customer, a fifth of the others' second."""
    chains = [world, plant.change(world) if plant else world]
    names = [*world.stage_of, ""]
    place = {n: i for i, n in enumerate(names)}
    end = len(names) - 1
    moves = np.zeros((2, len(names), len(names)))
    entry = np.zeros((2, len(names)))
    for c, changed in enumerate(chains):
        for source, row in changed.chain.items():
            at = entry[c] if source == "START" else moves[c, place[source]]
            for to, p in row.items():
                at[place[to]] += p
    moves[:, :, end] = 1 - moves[:, :, :end].sum(axis=2)
    device = (rng.random(journeys) > 0.5).astype(np.int64)
    day = rng.integers(0, DAYS, journeys)
    hour = rng.integers(OPENING, CLOSING, journeys)
    hit = np.zeros(journeys, dtype=np.int64)
    if plant:
        hit = plant.hits(device, day, hour).astype(np.int64)
    time = (day * 86_400 + hour * 3_600 + rng.random(journeys) * 3_600).astype(np.float64)
    median = np.array([world.wait_s.get(n, 0.0) for n in names])
    longer = np.ones((2, len(names)))
    if plant:
        longer[1, place[plant.step]] = plant.longer
    content = np.array([[c.satisfaction.get(n, np.nan) for n in names] for c in chains])

    walker = np.arange(journeys)
    state = _draw(rng, entry[hit])
    columns, step = [], 0
    bought = np.zeros(journeys, dtype=bool)
    early = np.array(
        [world.stage_of.get(n) in world.stages[:2] and n != world.conversion for n in names]
    )
    while walker.size:
        step += 1
        columns.append((walker, state, np.full(walker.size, step), time[walker].copy()))
        bought[walker[state == place[world.conversion]]] = True
        time[walker] += (
            median[state] * longer[hit[walker], state] * rng.lognormal(0, 0.8, walker.size)
        )
        state = _draw(rng, moves[hit[walker], state])
        over = (state == end) | (bought[walker] & early[state]) | (step >= 60)
        walker, state = walker[~over], state[~over]
    owner, node, number, when = (np.concatenate(c) for c in zip(*columns, strict=True))
    seen = when < DAYS * 86_400  # the rest lies in the future
    owner, node, number, when = (a[seen] for a in (owner, node, number, when))
    bought = np.zeros(journeys, dtype=bool)
    bought[owner[node == place[world.conversion]]] = True
    last = np.zeros(journeys)
    np.maximum.at(last, owner, when)
    mean = content[hit[owner], node]
    answered = np.isfinite(mean) & (rng.random(len(owner)) < 0.25)
    answer = np.rint(4 * np.clip(rng.normal(np.nan_to_num(mean), 0.25), 0, 1)) / 4
    begin_us = int(BEGIN.timestamp() * 1_000_000)
    ids = np.char.add("j", np.arange(journeys).astype(str))
    texts = np.array(names)[node]
    steps = pa.table(
        {
            "journey_id": ids[owner],
            "step": number.astype(np.int32),
            "event_time": pa.array(begin_us + (when * 1e6).astype(np.int64)).cast(
                pa.timestamp("us", tz="UTC")
            ),
            "touchpoint": texts,
            "stage": np.array([world.stage_of.get(n, "") for n in names])[node],
            "dwell_s": _dwell(owner, when),
            "csat": pa.array(answer, mask=~answered),
            "converts": texts == world.conversion,
        }
    )
    stands = DAYS * 86_400 - last <= 30 * 86_400
    whole = pa.table(
        {
            "journey_id": ids,
            "customer_id": np.char.add("c", (np.arange(journeys) * 5 // 6).astype(str)),
            "outcome": np.where(bought, "converted", np.where(stands, "open", "lapsed")),
            "device": np.array(["mobile", "desktop"])[device],
            "region": np.array(["north", "south", "west"])[rng.integers(0, 3, journeys)],
        }
    )
    return steps, whole


def _draw(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    found = (rng.random(len(shares))[:, None] > shares.cumsum(axis=1)).sum(axis=1)
    return np.minimum(found, shares.shape[1] - 1)


def _dwell(owner: np.ndarray, when: np.ndarray) -> pa.Array:
    order = np.lexsort((when, owner))
    wait = np.empty(len(owner))
    last = np.empty(len(owner), dtype=bool)
    wait[order] = np.append(np.diff(when[order]), 0.0)
    last[order] = np.append(np.diff(owner[order]) != 0, True)
    return pa.array(np.maximum(wait, 0.0), mask=last)
