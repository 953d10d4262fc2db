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

__all__ = ["Pseudonymiser", "clean_identifiers", "normalise"]


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


def clean_identifiers(
    values: pa.DictionaryArray,
    namespace: str,
    identity: Identity,
    pseudonymiser: Pseudonymiser | None,
) -> pa.DictionaryArray:
    """Normalise, refuse and hash the identifiers of one namespace.

    Parameters
    ----------
    values : pa.DictionaryArray of string
        As the source gave them.
    pseudonymiser
        Needed if the namespace is personal.

    Returns
    -------
    pa.DictionaryArray
        Same length; null where there is no usable value. The dictionary holds no null and may
        repeat a value where two spellings became one.
    """
    spec = identity.namespaces[namespace]

    def clean(distinct: pa.Array) -> pa.Array:
        usable = _refuse(normalise(distinct, spec.normalise), identity, namespace)
        return _pseudonyms(usable, namespace, spec.personal, pseudonymiser)

    return map_values(values, clean)


def _refuse(values: pa.Array, identity: Identity, namespace: str) -> pa.Array:
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    null_like = [value.lower() for value in identity.null_like]
    refused = pc.is_in(lowered, pa.array(null_like, pa.string()))
    zeros = pc.fill_null(pc.match_substring_regex(lowered, r"^[0\-]*$"), False)
    declared = pa.array(identity.blocked.get(namespace, ()), pa.string())
    blocked_values = normalise(declared, identity.namespaces[namespace].normalise).drop_null()
    blocked = pc.is_in(values, blocked_values)
    if identity.namespaces[namespace].normalise == "domain":
        public = pc.is_in(values, pa.array(identity.public_domains, pa.string()))
        blocked = pc.or_(blocked, public)
    return pc.if_else(pc.or_(pc.or_(refused, zeros), blocked), None, values)


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
