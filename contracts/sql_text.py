"""Names and values written into SQL text, where a parameter is not allowed."""

from __future__ import annotations

__all__ = ["identifier", "literal"]


def identifier(name: str) -> str:
    """A column or table name, quoted.

    >>> print(identifier('size "L" of shirt'))
    "size ""L"" of shirt"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text value, quoted.

    >>> print(literal("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"
