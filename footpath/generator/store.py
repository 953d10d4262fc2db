"""Store receipts as Shopify order objects, one a line.

The feed holds point-of-sale orders only (``"source_name":"pos"``): a purchase on the web is the
``Order Completed`` event of the web feed, and no purchase is written twice. Goods that are brought
back appear as an order of their own, fully refunded (``"financial_status":"refunded"``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from footpath.generator.feeds import Chunk, Feed, lookup
from footpath.generator.touchpoints import CODES
from footpath.generator.walk import Steps
from footpath.generator.web import PRICES_CENTS

__all__ = ["store_feed"]

STORE_OFFSETS: tuple[str, ...] = ("-05:00", "-05:00", "-06:00", "-08:00", "+00:00", "+01:00")
"""Offset from UTC of each store's clock, all year round."""

_SQL = """concat(
    '{"id":', event_id,
    time_field(kind, 'created_at', '"' || strftime(
        event_time + to_hours(left(utc_offset, 3)::INTEGER), '%Y-%m-%dT%H:%M:%S') || utc_offset
        || '"'),
    ',"updated_at":"', iso_seconds(received),
    '","name":"#', right(event_id, 7), '","currency":"USD","source_name":"pos","location_id":',
    location, ',"test":false,"cancelled_at":null,"email":',
    CASE WHEN email IS NULL THEN 'null' ELSE '"' || email || '"' END,
    ',"phone":', CASE WHEN phone IS NULL THEN 'null' ELSE '"' || phone || '"' END,
    ',"customer":', CASE WHEN customer IS NULL THEN 'null' ELSE concat(
        '{"id":', customer, ',"email":"', email, '","first_name":"', first_name,
        '","last_name":"', last_name, '"}') END,
    ',"buyer_accepts_marketing":', marketing,
    ',"financial_status":"', status, '","total_price":"', money(price * quantity),
    '","line_items":[{"product_id":"', product_id, '","quantity":', quantity,
    ',"price":"', money(price), '"}],"refunds":[',
    CASE WHEN status = 'refunded' THEN concat(
        '{"created_at":"', iso_seconds(event_time), '","transactions":[{"kind":"refund","amount":"',
        money(price * quantity), '"}]}') END,
    ']}'
)"""


def store_feed(chunk: Chunk, steps: Steps) -> Feed:
    """Prepare a chunk's store receipts for writing."""
    rng, population, names = chunk.rng, chunk.population, chunk.namespaces
    size, person = len(steps), steps.person
    chance = rng.integers(0, 1_000_000, size)
    anonymous = rng.random(size) < chunk.scenario.anonymous_receipt_share
    nobody = (rng.random(size) < chunk.scenario.null_like_share) & ~anonymous
    address = chunk.spell("email", person, chance)
    address = np.where(nobody, names["email"].null_like(chance), address)
    phone = chunk.spell("phone", person, chance)
    product = rng.integers(0, len(PRICES_CENTS), size)
    store = (population.first_id + person) % len(STORE_OFFSETS)
    table = pa.table(
        {
            "email": names["email"].column(address, anonymous),
            "phone": names["phone"].column(phone, anonymous | (chance % 10 < 4)),
            "customer": names["shopify_customer_id"].column(
                person.astype(np.int64), anonymous | nobody
            ),
            "first_name": population.first_name.take(pa.array(person)),
            "last_name": population.last_name.take(pa.array(person)),
            "marketing": lookup(chance % 2, ["false", "true"]),
            "status": lookup(
                (steps.touchpoint == CODES["store_return"]).astype(np.int8), ["paid", "refunded"]
            ),
            "location": pa.array(store + 1),
            "utc_offset": lookup(store, STORE_OFFSETS),
            "product_id": lookup(product, [f"sku-{i:04d}" for i in range(len(PRICES_CENTS))]),
            "price": pa.array(PRICES_CENTS[product]),
            "quantity": pa.array(1 + chance % 3),
        }
    )
    return Feed(
        source="store",
        steps=steps,
        event_id=pa.array(chunk.numbers(steps)).cast(pa.string()),
        table=table,
        sql=_SQL,
        nothing_in={"email": nobody},
        extra_ids=chunk.spare_numbers,
    )
