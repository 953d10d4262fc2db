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
from hashlib import sha256
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Privacy
from models.identifiers import Pseudonymiser

__all__ = ["PATTERNS", "private_ids", "private_texts", "redact", "without_addresses"]

_WORD = r"[^\s@<>()\[\]{},;:\"'|\\/?&=#]"
PATTERNS = {
    "email": rf"{_WORD}+(?:@|%40){_WORD}+\.{_WORD}+",
    "ip": r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?i)\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\b",
    "card": r"\b\d(?:[ -]?\d){12,18}\b",
    "phone": r"\+?\(?\d(?:[\s()./-]{0,3}\d){6,14}",
}
"""What is sought in free text, in this order (RE2)."""

_INVISIBLE = r"[\x{00AD}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{FEFF}]"
_SIGNS = b"@%\xef"
"""A byte of every spelling of @."""
_SIGN_OF_ADDRESS = r"@|%40|\x{FF20}|\x{FE6B}"


def private_texts(
    values: pa.Array, rule: Literal["drop", "redact"] | None, privacy: Privacy
) -> pa.Array:
    """Texts of a field as they may be kept; `rule` is what is declared of it, None for no free text.

    >>> private_texts(pa.array(["a"]), "drop", Privacy()).to_pylist()
    [None]
    """
    if rule == "drop":
        return pa.nulls(len(values), values.type)
    if rule == "redact":
        values = redact(values, privacy.redact, privacy.patterns)
    return without_addresses(values)


def private_ids(ids: pa.Array, pseudonymiser: Pseudonymiser | None) -> pa.Array:
    """Ids of events as they may be kept: one that holds an address is hashed, and still tells events apart."""
    personal = _holds_address(ids)
    if not pc.any(personal).as_py():
        return ids
    hashed = [
        pseudonymiser.digest("event_id", value)
        if pseudonymiser
        else sha256(value.encode()).hexdigest()
        for value in ids.filter(personal).to_pylist()
    ]
    return pc.replace_with_mask(ids, personal, pa.array(hashed, pa.string()))


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


def _holds_address(values: pa.Array) -> pa.Array:
    """Which texts hold an e-mail address, however it is disguised: array of bool, false for null."""
    data = values.buffers()[2]
    plain = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    if not any((plain == sign).any() for sign in _SIGNS):  # nearly always, and the quickest look
        return pa.array(np.zeros(len(values), bool))
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
    personal = _holds_address(values)
    if not pc.any(personal).as_py():
        return values
    plain = _plain(values.filter(personal))
    replaced = pc.replace_substring_regex(plain, PATTERNS["email"], "[email]")
    return pc.replace_with_mask(values, personal, replaced)


def _plain(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(pc.utf8_normalize(values, "NFKC"), _INVISIBLE, "")
