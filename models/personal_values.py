"""Raw personal values looked for in texts: as they were given, normalised, escaped, or hashed without a key.

A hash without a key hides nothing: whoever has a list of addresses hashes it and compares. So MD5, SHA-1 and SHA-256 of
a value count as the value. Case does not matter. Patterns are alternatives of one regular expression, which RE2
searches in time proportional to the text, however many they are.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from models.identifiers import normalise

__all__ = ["PersonalValues"]

_IN_ONE_PATTERN = 200
_LEAST = 5
"""Shorter values are found by chance in anything."""


@dataclass(frozen=True)
class PersonalValues:
    """Values to look for; each is known by its place, so that nobody has to repeat it.

    >>> found = PersonalValues(("Ann@example.com", "Bo")).find(pa.array(["to ann@EXAMPLE.com", "x"]))
    >>> found
    [(0, 0)]
    >>> PersonalValues(("Ann@example.com", "Bo")).too_short
    [1]
    """

    values: tuple[str, ...]

    @property
    def too_short(self) -> list[int]:
        """Places of values that are not looked for."""
        return [place for place, value in enumerate(self.values) if len(value.strip()) < _LEAST]

    @cached_property
    def _spellings(self) -> dict[str, int]:
        """Every spelling in lower case, and the place of its value."""
        found: dict[str, int] = {}
        for place, value in enumerate(self.values):
            if place not in set(self.too_short):
                for spelling in _spellings(value):
                    found.setdefault(spelling, place)
        return found

    @cached_property
    def _patterns(self) -> list[str]:
        ordered = sorted(self._spellings)
        starts = range(0, len(ordered), _IN_ONE_PATTERN)
        return [
            "|".join(map(re.escape, ordered[start : start + _IN_ONE_PATTERN])) for start in starts
        ]

    def find(self, texts: pa.Array) -> list[tuple[int, int]]:
        """Pairs (row, place of a value) of texts, or bytes, that hold a value.

        Parameters
        ----------
        texts : pa.Array of string or binary
        """
        found = set()
        for pattern in self._patterns:
            held = pc.match_substring_regex(texts, pattern, ignore_case=True)
            rows = pc.indices_nonzero(pc.fill_null(held, False)).to_pylist()
            for row in rows:
                text = texts[row].as_py()
                text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                hits: Iterable[str] = re.findall(pattern, text.lower())
                found |= {(row, self._spellings[hit]) for hit in hits}
        return sorted(found)

    def find_numbers(self, numbers: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs (row, place of a value) of whole numbers that are a value."""
        wanted = {int(s): p for s, p in self._spellings.items() if s.isdecimal() and len(s) < 19}
        return [(row, wanted[n]) for row, n in enumerate(numbers) if n in wanted]


def _spellings(value: str) -> set[str]:
    plain = value.strip()
    forms = {plain}
    for how in ("email", "phone"):
        normal = normalise(pa.array([plain]), how)[0].as_py()
        # A name with a number in it is no telephone number.
        if normal is not None and (how == "email" or not re.search(r"[^\d\s()+./-]", plain)):
            forms.add(normal)
    spellings = {form.lower() for form in forms}
    for form in forms | {form.lower() for form in forms}:
        spellings |= {html.escape(form).lower(), json.dumps(form)[1:-1].lower()}
        for name in ("md5", "sha1", "sha256"):
            spellings.add(hashlib.new(name, form.encode(), usedforsecurity=False).hexdigest())
    return spellings
