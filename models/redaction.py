"""Personal data in free text: dropped, or replaced by what kind it was.

Two rules. An e-mail address is replaced wherever it stands in any text of an event, for none belongs there. A field
that a source declares as free text (``free_text``) is dropped, or, with ``redact``, searched for addresses, telephone
and card numbers, IP addresses and the project's own patterns (names), each of which becomes its kind in brackets.

Text is brought to its compatible form (NFKC) and freed of invisible characters before it is searched, so that
look-alikes don't hide a value. Patterns catch too much rather than too little: a long order number goes as a card's. No
pattern knows names or what a sentence tells; what may hold these is to be dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["PATTERNS", "drop", "holds_address", "redact", "without_addresses"]

_WORD = r"[^\s@<>()\[\]{},;:\"'|\\/?&=#]"
PATTERNS = {
    "email": rf"{_WORD}+(?:@|%40){_WORD}+\.{_WORD}+",
    "ip": r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?i)\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b",
    "card": r"\b\d(?:[ -]?\d){12,18}\b",
    "phone": r"\+?\(?\d(?:[\s()./-]{0,3}\d){6,14}",
}
"""What is sought in free text, in this order (RE2)."""

_INVISIBLE = r"[\x{00AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{FEFF}]"
_SIGN_OF_ADDRESS = r"@|%40|\x{FF20}|\x{FE6B}"


def drop(values: pa.Array) -> pa.Array:
    """Nothing of it.

    >>> drop(pa.array(["a", None])).to_pylist()
    [None, None]
    """
    return pa.nulls(len(values), values.type)


def redact(values: pa.Array, kinds: Sequence[str], own: Mapping[str, str]) -> pa.Array:
    r"""Distinct texts with what was found replaced by its kind.

    Parameters
    ----------
    values : pa.Array of string
    kinds : sequence of str
        Names of `PATTERNS` to use.
    own : mapping of str to str
        Further patterns by kind.

    Examples
    --------
    >>> text = pa.array(["Call Ann at +49 30 1234567 or ann@example.com"])
    >>> redact(text, ("email", "phone"), {"name": r"\bAnn\b"}).to_pylist()
    ['Call [name] at [phone] or [email]']
    """
    plain = _plain(values)
    chosen = {kind: pattern for kind, pattern in PATTERNS.items() if kind in kinds} | dict(own)
    for kind, pattern in chosen.items():
        plain = pc.replace_substring_regex(plain, pattern, f"[{kind}]")
    return plain


def holds_address(values: pa.Array) -> pa.Array:
    """Which texts hold an e-mail address, however it is disguised: array of bool, false for null."""
    suspect = pc.fill_null(pc.match_substring_regex(values, _SIGN_OF_ADDRESS), False)
    if not pc.any(suspect).as_py():
        return suspect
    found = pc.match_substring_regex(_plain(values.filter(suspect)), PATTERNS["email"])
    return pc.replace_with_mask(suspect, suspect, found)


def without_addresses(values: pa.Array) -> pa.Array:
    """Texts with e-mail addresses replaced; texts without one stay as they are.

    >>> without_addresses(pa.array(["/u/ann%40example.com/x", "/@home", None])).to_pylist()
    ['/u/[email]/x', '/@home', None]
    """
    personal = holds_address(values)
    if not pc.any(personal).as_py():
        return values
    plain = _plain(values.filter(personal))
    replaced = pc.replace_substring_regex(plain, PATTERNS["email"], "[email]")
    return pc.replace_with_mask(values, personal, replaced)


def _plain(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.utf8_normalize(values, "NFKC"), _INVISIBLE, "")
