"""Support contacts as Zendesk's incremental ticket export gives them, one ticket a line.

``external_id`` is the shop's user_id where the requester has an account, null for guests. The
description holds free text with a name and, now and then, a phone number, as real tickets do.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from footpath.generator.feeds import Chunk, Feed, lookup
from footpath.generator.personas import PERSONAS
from footpath.generator.touchpoints import CODES, TOUCHPOINTS
from footpath.generator.walk import Steps

__all__ = ["support_feed"]

_SUBJECTS: dict[str, str] = {
    "product_question": "Question about a product",
    "delivery": "Problem with the delivery",
    "payment": "My payment was refused",
    "return": "I want to send something back",
}
_BAD_MOODS: dict[str, float] = {"product_question": 0.5, "delivery": 2.5, "payment": 2.5}
"""Factor on the persona's share of bad ratings, by topic."""

_SQL = """concat(
    '{"id":', event_id, ',"external_id":',
    CASE WHEN user_id IS NULL THEN 'null' ELSE '"' || user_id || '"' END,
    time_field(kind, 'created_at', '"' || iso_seconds(event_time) || '"'),
    ',"updated_at":"', iso_seconds(received),
    '","type":"', CASE WHEN topic = 'product_question' THEN 'question' ELSE 'problem' END,
    '","subject":"', subject,
    '","description":"Hello, this is ', first_name, ' ', last_name,
    ', please call me on ' || phone, '. Thank you.',
    '","priority":"', priority, '","status":"', status,
    '","requester_id":', requester_id, ',"requester":{"email":"', email, '"}',
    ',"via":{"channel":"', via, '"},"tags":["', topic, '"],"satisfaction_rating":{"score":"',
    score, '"}}'
)"""


def support_feed(chunk: Chunk, steps: Steps) -> Feed:
    """Prepare a chunk's tickets for writing."""
    rng, population, names = chunk.rng, chunk.population, chunk.namespaces
    size, person = len(steps), steps.person
    chance = rng.integers(0, 1_000_000, size)
    nobody = rng.random(size) < chunk.scenario.null_like_share
    address = chunk.spell("email", person, chance)
    address = np.where(nobody, names["email"].null_like(chance), address)
    phone = chunk.spell("phone", person, chance)
    topic = steps.touchpoint - CODES["support_question"]
    topics = [t.record for t in TOUCHPOINTS if t.source == "support"]

    dissatisfied = np.array([persona.dissatisfied for persona in PERSONAS])
    mood = np.array([_BAD_MOODS.get(name, 1.0) for name in topics])
    bad = rng.random(size) < np.minimum(dissatisfied[population.persona[person]] * mood[topic], 0.9)
    answered = chance % 100
    score = np.select([answered < 45, answered < 85], [np.where(bad, 1, 0), 2], 3)
    table = pa.table(
        {
            "user_id": names["user_id"].column(
                person.astype(np.int64), ~population.registered[person]
            ),
            "email": names["email"].column(address),
            "requester_id": names["zendesk_requester_id"].column(person.astype(np.int64)),
            "phone": names["phone"].column(phone, chance % 10 > 0),
            "first_name": population.first_name.take(pa.array(person)),
            "last_name": population.last_name.take(pa.array(person)),
            "topic": lookup(topic, topics),
            "subject": lookup(topic, [_SUBJECTS[name] for name in topics]),
            "priority": lookup(chance // 100 % 4, ["low", "normal", "high", "urgent"]),
            "status": lookup((score > 1).astype(np.int8), ["closed", "solved"]),
            "via": lookup(chance // 1_000 % 4, ["email", "web", "chat", "voice"]),
            "score": lookup(score, ["good", "bad", "offered", "unoffered"]),
        }
    )
    return Feed(
        source="support",
        steps=steps,
        event_id=pa.array(chunk.numbers(steps)).cast(pa.string()),
        table=table,
        sql=_SQL,
        nothing_in={"requester.email": nobody},
        extra_ids=chunk.spare_numbers,
    )
