"""Numbers as people read them: counts, shares, intervals, durations, money, names.

A missing number is an en dash, never 0.
"""

from __future__ import annotations

from datetime import date

__all__ = ["MISSING", "count", "day", "duration", "interval", "money", "name", "percent", "score"]

MISSING = "\N{EN DASH}"

_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "CHF": "CHF "}
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def count(value: float | None) -> str:
    """A count in full up to a million, then shortened.

    >>> count(12345), count(1_234_567), count(2_500_000_000), count(None)
    ('12,345', '1.23M', '2.5B', '–')
    """
    if value is None:
        return MISSING
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:,.0f}"


def percent(share: float | None, places: int = 0) -> str:
    """A share as a percentage that never rounds something to nothing, or to everything.

    >>> percent(0.416), percent(0.416, 1), percent(0.0004), percent(0.9996), percent(0)
    ('42%', '41.6%', '<1%', '>99%', '0%')
    """
    if share is None:
        return MISSING
    least = 10.0**-places
    if 0 < 100 * share < least / 2:
        return f"<{least:.{places}f}%"
    if 100 - least / 2 < 100 * share < 100:
        return f">{100 - least:.{places}f}%"
    return f"{100 * share:.{places}f}%"


def interval(low: float | None, high: float | None, places: int = 0) -> str:
    """A 95% interval of a share; empty if there is none.

    >>> interval(0.391, 0.442), interval(None, None)
    ('39–44%', '')
    """
    if low is None or high is None:
        return ""
    return f"{100 * low:.{places}f}\N{EN DASH}{100 * high:.{places}f}%"


def score(value: float | None) -> str:
    """Satisfaction of 0..1 on a scale of 100.

    >>> score(0.724), score(None)
    ('72', '–')
    """
    return MISSING if value is None else f"{100 * value:.0f}"


def duration(seconds: float | None) -> str:
    """A duration in its largest unit, to two digits.

    >>> duration(0.4), duration(45), duration(190), duration(8_000), duration(260_000)
    ('<1 s', '45 s', '3.2 min', '2.2 h', '3 d')
    """
    if seconds is None:
        return MISSING
    for size, unit in _UNITS:
        if seconds >= size:
            amount = seconds / size
            text = f"{amount:,.0f}" if amount >= 10 else f"{amount:.1f}".removesuffix(".0")
            return f"{text} {unit}"
    return "0 s" if seconds == 0 else "<1 s"


def money(value: float | None, currency: str) -> str:
    """An amount with its currency; ``none`` stands for a currency nobody named.

    >>> money(1234.5, "EUR"), money(35.8, "USD"), money(-2e6, "SEK"), money(5, "none")
    ('€1,234', '$35.80', '-2M SEK', '5.00')
    """
    if value is None:
        return MISSING
    sign = "-" if value < 0 else ""
    size = abs(value)
    text = f"{size:.2f}" if size < 1000 else count(size)
    if currency == "none":
        return sign + text
    if currency in _SYMBOLS:
        return f"{sign}{_SYMBOLS[currency]}{text}"
    return f"{sign}{text} {currency}"


def day(value: date | None) -> str:
    """A day in words.

    >>> day(date(2025, 7, 1))
    '1 July 2025'
    """
    return MISSING if value is None else f"{value.day} {value:%B %Y}"


def name(identifier: str | None) -> str:
    """A touchpoint, stage or channel for readers.

    >>> name("checkout_shipping"), name("a > b_c"), name("DROP_OFF"), name(None)
    ('Checkout shipping', 'A > b c', 'Drop-off', '–')
    """
    if not identifier:
        return MISSING
    ends = {"START": "Start", "CONVERSION": "Conversion", "DROP_OFF": "Drop-off", "OPEN": "Open"}
    text = identifier.replace("_", " ")
    return ends.get(identifier, text[:1].upper() + text[1:])
