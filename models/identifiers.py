"""Identifier values: normalised, refused when they say nothing, replaced by keyed hashes.

Everything here works on distinct values (dictionaries), of which there are far fewer than events.
A personal value is replaced by the first 128 bits, in hex, of HMAC-SHA-256 over
``namespace || 0x1f || normalised value``; the same person therefore has the same pseudonym in every
source of a project, and another one in another project (another key). A value in a namespace
that is not personal but looks like an e-mail address is hashed all the same.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contracts.config import Identity
from models.dictionaries import map_values
from models.refused_values import FIELD

__all__ = ["Cleaned", "Pseudonymiser", "clean_identifiers", "normalise"]

_NULL_LIKE = "null-like"
_NO_REASON = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class Pseudonymiser:
    """Keyed hashing of personal values."""

    key: bytes

    def digest(self, namespace: str, value: str) -> str:
        """The pseudonym of one normalised value: 32 hex digits."""
        message = f"{namespace}\x1f{value}".encode()
        return hmac.digest(self.key, message, "sha256")[:16].hex()


def normalise(values: pa.Array, how: str) -> pa.Array:
    """Bring distinct values to one spelling; values that cannot be of the kind become null.

    >>> normalise(pa.array([" Ann@Example.COM ", "no address"]), "email").to_pylist()
    ['ann@example.com', None]
    >>> normalise(pa.array(["+49 (30) 1234-567", "0049301234567", "x"]), "phone").to_pylist()
    ['49301234567', '49301234567', None]
    >>> normalise(pa.array(["Ann@Acme.com", "acme.com", "acme"]), "domain").to_pylist()
    ['acme.com', 'acme.com', None]
    """
    if how == "exact":
        return values
    trimmed = pc.utf8_trim_whitespace(values)
    if how == "trim":
        return trimmed
    if how == "lower":
        return pc.utf8_lower(trimmed)
    if how == "email":
        lowered = pc.utf8_lower(trimmed)
        plausible = pc.match_substring_regex(lowered, r"^[^\s@]+@[^\s@]+$")
        return pc.if_else(plausible, lowered, None)
    if how == "domain":
        domain = pc.replace_substring_regex(pc.utf8_lower(trimmed), r"^.*@", "")
        plausible = pc.match_substring_regex(domain, r"^[^\s@.]+(\.[^\s@.]+)+$")
        return pc.if_else(plausible, domain, None)
    digits = pc.replace_substring_regex(trimmed, r"[^0-9]", "")
    digits = pc.replace_substring_regex(digits, r"^00", "")
    return pc.if_else(pc.greater_equal(pc.utf8_length(digits), 5), digits, None)


@dataclass(frozen=True)
class Cleaned:
    """The identifiers of one namespace, a value a row."""

    values: pa.DictionaryArray
    """Null where there is no usable value. The dictionary holds no null and may repeat a value where two
    spellings became one."""
    refused: pa.DictionaryArray | None
    """Namespace, reason and value of what was given and refused (`models.refused_values`): a word that means
    nothing as it is, anything else as the lake would know it. None if nothing was refused.
    """


def clean_identifiers(
    values: pa.DictionaryArray,
    namespace: str,
    identity: Identity,
    pseudonymiser: Pseudonymiser | None,
) -> Cleaned:
    """Normalise, refuse and hash the identifiers of one namespace.

    Parameters
    ----------
    values : pa.DictionaryArray of string
        As the source gave them.
    pseudonymiser
        Needed if the namespace is personal.
    """
    spec = identity.namespaces[namespace]
    normalised = normalise(values.dictionary, spec.normalise)
    given = normalised
    if normalised.null_count:  # "null" is no address, yet what it is, is a word that means nothing
        given = pc.coalesce(normalised, pc.utf8_trim_whitespace(values.dictionary))
    reasons = _reasons(given, identity, namespace)
    usable = pc.if_else(pc.is_null(reasons), normalised, None)
    cleaned = _pseudonyms(usable, namespace, spec.personal, pseudonymiser)
    told = pc.and_(pc.is_valid(reasons), pc.not_equal(given, ""))
    refused = None
    if pc.any(told).as_py():
        a_word = pc.equal(reasons, _NULL_LIKE)
        known = pc.if_else(pc.and_(told, pc.invert(a_word)), given, None)
        known = _pseudonyms(known, namespace, spec.personal, pseudonymiser)
        shown = pc.coalesce(known, pc.if_else(told, pc.utf8_lower(given), None))
        labels = pc.binary_join_element_wise(namespace, reasons, shown, FIELD)
        refused = map_values(values, lambda _: labels)
    return Cleaned(map_values(values, lambda _: cleaned), refused)


def _reasons(values: pa.Array, identity: Identity, namespace: str) -> pa.Array:
    """Why values say nothing; null for those that may."""
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    null_like = pa.array([value.lower() for value in identity.null_like], pa.string())
    zeros = pc.fill_null(pc.match_substring_regex(lowered, r"^[0\-]*$"), False)
    nothing = pc.or_(pc.is_in(lowered, null_like), zeros)
    declared = pa.array(identity.blocked.get(namespace, ()), pa.string())
    how = identity.namespaces[namespace].normalise
    blocked = pc.is_in(values, normalise(declared, how).drop_null())
    reasons = pc.if_else(nothing, _NULL_LIKE, pc.if_else(blocked, "blocked", _NO_REASON))
    if how == "domain":
        public = pc.is_in(values, pa.array(identity.public_domains, pa.string()))
        reasons = pc.if_else(public, "public domain", reasons)
    return reasons


def _pseudonyms(
    values: pa.Array, namespace: str, all_personal: bool, pseudonymiser: Pseudonymiser | None
) -> pa.Array:
    personal = pc.is_valid(values)
    if not all_personal:
        personal = pc.fill_null(pc.match_substring(values, "@"), False)
    if not pc.any(personal).as_py():
        return values
    if pseudonymiser is None:
        raise ValueError(f"namespace {namespace!r} holds personal values and there is no key")
    hashed = [pseudonymiser.digest(namespace, v) for v in values.filter(personal).to_pylist()]
    return pc.replace_with_mask(values, personal, pa.array(hashed, pa.string()))
