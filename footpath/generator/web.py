"""Web events as calls of the Segment spec: page, track and identify, one a line.

Event names and properties follow Segment's e-commerce spec, consent its consent spec
(``context.consent.categoryPreferences``). Events before a login carry ``"userId":null``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from footpath.generator.feeds import Chunk, Feed, lookup
from footpath.generator.personas import lookup_table
from footpath.generator.population import HOUSEHOLD_SLOT, KIOSK_SLOT, SLOTS_PER_PERSON, uuids
from footpath.generator.scenario import DEVICE_TYPES
from footpath.generator.touchpoints import CODES, LOGIN, TOUCHPOINTS
from footpath.generator.walk import CAMPAIGNS, Steps

__all__ = ["PRICES_CENTS", "web_feed"]

PRODUCTS = 240
PRICES_CENTS = np.array([499 + 100 * (i * i * 7 % 97) + 50 * (i % 5) for i in range(PRODUCTS)])
_PRODUCT_IDS = [f"sku-{i:04d}" for i in range(PRODUCTS)]
_POPULARITY = lookup_table([1 / (10 + i) for i in range(PRODUCTS)])
_CATEGORIES = ("garden", "kitchen", "lighting", "outdoor", "office", "living")
_QUERIES = ("lamp", "desk", "garden chair", "tent", "coffee grinder", "rug", "shelf", "pan")

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
_USER_AGENTS: tuple[str, ...] = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36",
    "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
    f"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) {_SAFARI} Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 15; SM-X710) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; Kiosk) {_CHROME} Safari/537.36",
)
"""Three for each device type; the very last belongs to the store kiosks."""

_PATHS: dict[str, str] = {
    "ad_landing": "/welcome",
    "home": "/",
    "promotion": "/deals",
    "store_locator": "/stores",
    "search": "/search",
    "wishlist": "/wishlist",
    "add_to_cart": "/cart",
    "cart": "/cart",
    "coupon": "/cart",
    "checkout": "/checkout",
    "address": "/checkout/address",
    "shipping": "/checkout/shipping",
    "payment": "/checkout/payment",
    "payment_failed": "/checkout/payment",
    "order_review": "/checkout/review",
    "purchase": "/checkout/thanks",
    "order_status": "/account/orders",
    "share": "/share",
    "club": "/club",
    "login": "/login",
}
"""Path of each touchpoint; guides, lists and products have one path each."""

_FIXED: dict[str, str] = {
    "promotion": ',"promotion_id":"deal-of-the-week"',
    "coupon": ',"coupon_id":"SAVE10"',
    "address": ',"step":2,"step_name":"address"',
    "shipping": ',"step":3,"step_name":"shipping","shipping_method":"standard"',
    "payment": ',"step":4,"step_name":"payment","payment_method":"card"',
    "payment_failed": ',"step":4,"step_name":"payment","error":"card_declined"',
    "order_review": ',"step":5,"step_name":"review"',
    "share": ',"share_via":"email"',
}
"""Properties that are the same whenever the touchpoint occurs."""

_WITH_PRODUCT = ("product", "wishlist", "add_to_cart", "review", "share")

_SQL = """concat(
    '{"type":"', call, '","messageId":"', event_id,
    '","anonymousId":"', anonymous_id, '","userId":',
    CASE WHEN user_id IS NULL THEN 'null' ELSE '"' || user_id || '"' END,
    heading,
    CASE WHEN call = 'identify' THEN concat(',"traits":{"email":"', email, '"}') ELSE concat(
        ',"properties":{"path":"', path, coalesce(category, product_id), '"', fixed,
        ',"query":"' || query || '"',
        ',"list_id":"' || category || '"',
        ',"product_id":"' || product_id || '","price":' || money(price),
        ',"rating":' || rating,
        ',"order_id":"W' || order_number || '","revenue":' || money(revenue)
            || ',"currency":"USD"',
        '}')
    END,
    ',"context":{"device":{"type":"', device, '"},"userAgent":"', user_agent, '"', campaign,
    ',"consent":{"categoryPreferences":{"Analytics":', consent, ',"Advertising":', consent, '}}}',
    time_field(kind, 'timestamp', '"' || iso(event_time) || '"'),
    ',"receivedAt":"', iso(received), '"}'
)"""


def web_feed(chunk: Chunk, steps: Steps) -> Feed:
    """Prepare a chunk's web events for writing."""
    rng, population, names = chunk.rng, chunk.population, chunk.namespaces
    size, person, touchpoint = len(steps), steps.person, steps.touchpoint
    device = population.device_type[person, steps.slot]
    chance = rng.integers(0, 1_000_000, size)

    slot = person.astype(np.int64) * SLOTS_PER_PERSON + steps.slot
    spoiled = rng.random(size) < chunk.scenario.null_like_share
    no_user = spoiled & (chance % 3 > 0)
    no_device = spoiled & ~no_user
    anonymous_id = np.where(no_device, names["anonymous_id"].null_like(chance), slot)
    user_id = np.where(no_user, names["user_id"].null_like(chance), person)

    identifies = touchpoint == CODES[LOGIN.name]
    email = chunk.spell("email", person, chance)

    product = _POPULARITY[rng.integers(0, len(_POPULARITY), size)]
    has_product = np.isin(touchpoint, [CODES[name] for name in _WITH_PRODUCT])
    has_category = np.isin(touchpoint, (CODES["product_list"], CODES["article"]))
    purchase = touchpoint == CODES["purchase"]
    everything = (*TOUCHPOINTS, LOGIN)
    calls = [t.record.partition(" ") for t in everything]
    heading = {"page": ',"name":"{}"', "track": ',"event":"{}"', "identify": "", "": ""}
    paths = _PATHS | {"product": "/p/", "review": "/p/", "wishlist": "/p/", "share": "/p/"}
    paths |= {"add_to_cart": "/p/", "product_list": "/c/", "article": "/guides/"}

    def by_touchpoint(values: Sequence[str | None]) -> pa.DictionaryArray:
        return lookup(touchpoint, values)

    table = pa.table(
        {
            "call": by_touchpoint([call for call, _, _ in calls]),
            "heading": by_touchpoint([heading.get(c, "").format(name) for c, _, name in calls]),
            "path": by_touchpoint([paths.get(t.name, "") for t in everything]),
            "fixed": by_touchpoint([_FIXED.get(t.name) for t in everything]),
            "anonymous_id": names["anonymous_id"].column(anonymous_id),
            "user_id": names["user_id"].column(user_id, ~(steps.known | no_user)),
            "email": names["email"].column(email, ~identifies),
            "query": lookup(chance % len(_QUERIES), _QUERIES, touchpoint != CODES["search"]),
            "category": lookup(chance % len(_CATEGORIES), _CATEGORIES, ~has_category),
            "product_id": lookup(product, _PRODUCT_IDS, ~has_product),
            "price": pa.array(PRICES_CENTS[product]),
            "rating": pa.array(5 - (chance % 7) ** 2 // 9, mask=touchpoint != CODES["review"]),
            "order_number": pa.array(chunk.numbers(steps), mask=~purchase),
            "revenue": pa.array(
                PRICES_CENTS[product] + PRICES_CENTS[chance % PRODUCTS] * (chance % 3),
                mask=~purchase,
            ),
            "device": lookup(device, DEVICE_TYPES),
            "user_agent": lookup(_user_agents(chunk, steps, device), _USER_AGENTS),
            "campaign": lookup(
                steps.campaign + 1,
                [None]
                + [
                    f',"campaign":{{"source":"{c.source}","medium":"{c.medium}","name":"{c.name}"}}'
                    for c in CAMPAIGNS
                ],
            ),
            "consent": lookup(population.consent[person].astype(np.int8), ["false", "true"]),
        }
    )
    return Feed(
        source="web",
        steps=steps,
        event_id=uuids(rng, size),
        table=table,
        sql=_SQL,
        nothing_in={"userId": no_user, "anonymousId": no_device},
        extra_ids=lambda count: uuids(rng, count),
    )


def _user_agents(chunk: Chunk, steps: Steps, device: NDArray[np.int8]) -> NDArray[np.int64]:
    """Choose the browser of each device; the same for all users of a household's tablet."""
    household = steps.person // chunk.scenario.household_size
    family = np.where(steps.slot == HOUSEHOLD_SLOT, household, steps.person + steps.slot)
    agent = device * 3 + family % np.where(device == DEVICE_TYPES.index("tablet"), 2, 3)
    return np.where(steps.slot == KIOSK_SLOT, len(_USER_AGENTS) - 1, agent)
