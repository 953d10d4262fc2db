"""E-mail events as SendGrid's event webhook posts them: arrays of 1 to 100 events, one a line."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from footpath.generator.feeds import Chunk, Feed, lookup
from footpath.generator.population import uuids
from footpath.generator.touchpoints import CODES, TOUCHPOINTS
from footpath.generator.walk import CAMPAIGNS, Steps

__all__ = ["email_feed"]

_DETAILS: dict[str, str] = {
    "email_delivered": ',"response":"250 OK"',
    "email_open": ',"useragent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"',
    "email_click": ',"useragent":"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"'
    ',"url":"https://shop.example.com/deals"',
    "email_bounce": ',"reason":"550 5.1.1 unknown recipient","status":"5.1.1","type":"bounce"',
}
"""Fields that only some event types have."""

_SQL = """concat(
    '{"email":"', email, '"',
    time_field(kind, 'timestamp', epoch_ms(event_time) // 1000),
    ',"event":"', event, '","smtp-id":"<', message, '@mail.shop.example.com>"',
    ',"sg_event_id":"', event_id, '","sg_message_id":"', message, '.recvd-0"',
    ',"category":"', category, '"', details, '}'
)"""


def email_feed(chunk: Chunk, steps: Steps) -> Feed:
    """Prepare a chunk's e-mail events for writing."""
    rng, email = chunk.rng, chunk.namespaces["email"]
    size, person = len(steps), steps.person
    chance = rng.integers(0, 1_000_000, size)
    nobody = rng.random(size) < chunk.scenario.null_like_share
    address = np.where(nobody, email.null_like(chance), chunk.spell("email", person, chance))
    first = CODES["email_sent"]
    names = [t for t in TOUCHPOINTS if t.source == "email"]
    person_id = chunk.population.first_id + person.astype(np.int64)
    table = pa.table(
        {
            "email": email.column(address),
            "event": lookup(steps.touchpoint - first, [t.record for t in names]),
            "details": lookup(steps.touchpoint - first, [_DETAILS.get(t.name) for t in names]),
            "category": lookup(steps.campaign, [campaign.name for campaign in CAMPAIGNS]),
            "message": pa.array(person_id * 1_000 + steps.message),
        }
    )
    return Feed(
        source="email",
        steps=steps,
        event_id=uuids(rng, size),
        table=table,
        sql=_SQL,
        nothing_in={"email": nobody},
        extra_ids=lambda count: uuids(rng, count),
        batched=True,
    )
