"""A plausible retailer, generated: raw files in four vendors' formats, with the truth beside them.

Persons of planted personas walk first-order Markov chains over touchpoints of web, email, store
and support (`personas`, `walk`). Their steps become records of Segment, SendGrid, Shopify and
Zendesk (`web`, `email`, `store`, `support`), with noise in the identifiers, duplicates, malformed
and late records (`spellings`, `lines`), and who did what is kept in ``truth/`` (`truth`), so that
whatever is inferred from the files can be held against what really happened.

>>> from pathlib import Path
>>> from footpath.generator import Scenario, generate
>>> generate(Path("data/demo"), Scenario(events=200_000, seed=7))  # doctest: +SKIP
"""

from footpath.generator.engine import SourceCounts, Summary, generate
from footpath.generator.scenario import (
    MOBILE_BACK_TO_CART,
    PAYMENT_FAILURES,
    SHIPPING_DROP_OFF,
    PainPoint,
    Scenario,
)

__all__ = [
    "MOBILE_BACK_TO_CART",
    "PAYMENT_FAILURES",
    "SHIPPING_DROP_OFF",
    "PainPoint",
    "Scenario",
    "SourceCounts",
    "Summary",
    "generate",
]
