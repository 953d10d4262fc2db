"""The touchpoints of the planted retailer: what can happen, where, and at which stage.

A touchpoint is one state of the Markov chains that the planted persons walk (see `personas`).
Each belongs to one source, appears there as one kind of record, and carries what the walk needs to
know about time: how long a person stays before the next step of the same session, and how often
the step comes in a session of its own.

Two touchpoints convert: ``purchase`` (online) and ``store_purchase``. A touchpoint of the stages in
`PRE_PURCHASE` opens a new journey when it follows a conversion; no chain leads from a conversion to
a touchpoint of another stage before passing one of these.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CHECKOUT_STEPS",
    "CODES",
    "CONVERSIONS",
    "DROP_OFF",
    "LOGIN",
    "PRE_PURCHASE",
    "SOURCES",
    "TOUCHPOINTS",
    "WANDER",
    "Touchpoint",
]

SOURCES: tuple[str, ...] = ("web", "email", "store", "support")
"""The four feeds, in the order in which they are written."""

PRE_PURCHASE: frozenset[str] = frozenset({"awareness", "consideration"})
"""Stages whose touchpoints open a new journey after a conversion."""

CONVERSIONS: tuple[str, ...] = ("purchase", "store_purchase")

CHECKOUT_STEPS: tuple[str, ...] = ("checkout", "address", "shipping", "payment", "order_review")
"""Comparable steps: without a planted pain point each loses about one person in ten."""

WANDER: tuple[str, ...] = (
    "home",
    "article",
    "search",
    "product_list",
    "product",
    "promotion",
    "store_locator",
)
"""Where the uniform noise leads: places that anybody may turn to at any moment."""

DROP_OFF = "DROP_OFF"
"""The end of a journey without a further step, as a pain point's outcome."""


@dataclass(frozen=True)
class Touchpoint:
    """One kind of step.

    Attributes
    ----------
    name
        Name in the truth tables.
    source
        The feed it is written to.
    stage
        Phase of the journey it belongs to.
    record
        What it looks like in the vendor's format: ``page NAME``, ``track EVENT`` or ``identify``
        (web), the webhook's event type (email), the kind of receipt (store), the ticket's topic
        (support).
    dwell_s
        Median seconds until the next step of the same session.
    apart
        Share of its occurrences that come in a session of their own, after a pause.
    """

    name: str
    source: str
    stage: str
    record: str
    dwell_s: int
    apart: float


TOUCHPOINTS: tuple[Touchpoint, ...] = (
    Touchpoint("ad_landing", "web", "awareness", "page Landing", 20, 0.90),
    Touchpoint("home", "web", "awareness", "page Home", 18, 0.45),
    Touchpoint("article", "web", "awareness", "page Guide", 150, 0.15),
    Touchpoint("promotion", "web", "awareness", "track Promotion Clicked", 25, 0.10),
    Touchpoint("store_locator", "web", "consideration", "page Store Finder", 35, 0.30),
    Touchpoint("search", "web", "consideration", "track Products Searched", 20, 0.06),
    Touchpoint("product_list", "web", "consideration", "track Product List Viewed", 30, 0.06),
    Touchpoint("product", "web", "consideration", "track Product Viewed", 60, 0.09),
    Touchpoint("wishlist", "web", "consideration", "track Product Added to Wishlist", 20, 0.01),
    Touchpoint("add_to_cart", "web", "purchase", "track Product Added", 15, 0.01),
    Touchpoint("cart", "web", "purchase", "track Cart Viewed", 30, 0.12),
    Touchpoint("coupon", "web", "purchase", "track Coupon Applied", 15, 0.01),
    Touchpoint("checkout", "web", "purchase", "track Checkout Started", 25, 0.04),
    Touchpoint("address", "web", "purchase", "track Checkout Step Completed", 45, 0.01),
    Touchpoint("shipping", "web", "purchase", "track Checkout Step Viewed", 35, 0.01),
    Touchpoint("payment", "web", "purchase", "track Payment Info Entered", 40, 0.01),
    Touchpoint("payment_failed", "web", "purchase", "track Payment Failed", 30, 0.00),
    Touchpoint("order_review", "web", "purchase", "track Checkout Step Viewed", 25, 0.01),
    Touchpoint("purchase", "web", "purchase", "track Order Completed", 60, 0.00),
    Touchpoint("order_status", "web", "service", "page Order Status", 30, 0.90),
    Touchpoint("review", "web", "advocacy", "track Product Reviewed", 40, 0.95),
    Touchpoint("share", "web", "advocacy", "track Product Shared", 20, 0.30),
    Touchpoint("club", "web", "loyalty", "page Loyalty Club", 40, 0.70),
    Touchpoint("email_sent", "email", "awareness", "processed", 3, 1.00),
    Touchpoint("email_delivered", "email", "awareness", "delivered", 300, 0.00),
    Touchpoint("email_open", "email", "awareness", "open", 12, 0.75),
    Touchpoint("email_click", "email", "consideration", "click", 4, 0.00),
    Touchpoint("email_unsubscribe", "email", "awareness", "unsubscribe", 10, 0.00),
    Touchpoint("email_bounce", "email", "awareness", "bounce", 10, 0.00),
    Touchpoint("email_spam", "email", "awareness", "spamreport", 10, 0.00),
    Touchpoint("store_purchase", "store", "purchase", "sale", 600, 1.00),
    Touchpoint("store_return", "store", "service", "return", 600, 1.00),
    Touchpoint("support_question", "support", "service", "product_question", 300, 0.60),
    Touchpoint("support_delivery", "support", "service", "delivery", 300, 0.70),
    Touchpoint("support_payment", "support", "service", "payment", 300, 0.50),
    Touchpoint("support_return", "support", "service", "return", 300, 0.90),
)

LOGIN = Touchpoint("login", "web", "consideration", "identify", 0, 0.0)
"""Not a step of a chain: a call that accompanies a step, under a second after it.

It belongs to the session and the journey of the step that it accompanies."""

CODES: dict[str, int] = {t.name: code for code, t in enumerate((*TOUCHPOINTS, LOGIN))}
"""Position of each touchpoint, by name; the arrays of the walk hold these numbers."""
