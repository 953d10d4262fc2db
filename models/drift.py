"""Schema drift: fields that a source's records used to have and that new ones lack.

Every ingest counts in how many records each declared field has a value, and keeps the sums. A field has *vanished* if
none of the new records has it although, at the share it had before, at least twenty were to be expected: by
chance that happens once in half a billion times (e^-20), so that rare fields raise no alarm. Where records cannot
even be mapped any more, the event's time or type has vanished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MAPPED", "Vanished", "seen_so_far", "vanished"]

MAPPED = "records"
"""Key of the number of records that could be mapped, among the counts of fields."""

_EXPECTED = 20


@dataclass(frozen=True)
class Vanished:
    """A field that is gone from a source: its place in the declaration, its share before, new records."""

    source: str
    place: str
    share: float
    records: int
    required: bool

    def __str__(self) -> str:
        """The change in words.

        >>> print(Vanished("web", "fields.value", 0.25, 400, False))
        sources.web.fields.value: in none of 400 new records, in 25.0% of those before
        """
        before = f"in {self.share:.1%} of those before"
        return (
            f"sources.{self.source}.{self.place}: in none of {self.records:,} new records, {before}"
        )


def seen_so_far(
    before: Mapping[str, Mapping[str, int]], counts: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    """By source, the records mapped and those with a value for each field, earlier ones included.

    >>> seen_so_far({"a": {"records": 1}}, [{"source": "a", "accepted": 2, "quarantined": 0, "given": {"x": 1}}])
    {'a': {'records': 3, 'x': 1}}
    """
    sums = {source: Counter(known) for source, known in before.items()}
    for batch in counts:
        of_source = sums.setdefault(batch["source"], Counter())
        of_source[MAPPED] += batch["accepted"] + batch["quarantined"]
        of_source.update(batch["given"])
    return {source: dict(known) for source, known in sorted(sums.items())}


def vanished(
    before: Mapping[str, Mapping[str, int]], counts: Iterable[Mapping[str, Any]]
) -> Iterator[Vanished]:
    """What was there before and is not in the new batches.

    Parameters
    ----------
    before : mapping of str to mapping of str to int
        What `seen_so_far` gave after the runs before, of sources whose declaration is still the same.
    counts : iterable of mapping
        A mapping a batch: source, accepted, quarantined, given (values by place), and `unmapped`: records without
        a readable time, or without type.

    Yields
    ------
    Vanished
        Required are the event's time and type together (no record can be mapped), and the last identifier.
    """
    counts = list(counts)
    now = seen_so_far({}, counts)
    unmapped: Counter[str] = Counter()
    for batch in counts:
        unmapped[batch["source"]] += batch["unmapped"]
    for source in sorted(set(before) & set(now)):
        known, new = before[source], now[source]
        if known[MAPPED] and not new[MAPPED] and unmapped[source] >= _EXPECTED:
            yield Vanished(source, "fields.event_time or event_type", 1.0, unmapped[source], True)
            continue
        gone = [
            place
            for place, count in sorted(known.items())
            if count and not new.get(place) and count * new[MAPPED] >= _EXPECTED * known[MAPPED]
        ]
        identifiers = [place for place in new if place.startswith("identifiers.")]
        nobody = not any(new[place] for place in identifiers)
        for place in gone:
            required = nobody and place in identifiers
            yield Vanished(source, place, known[place] / known[MAPPED], new[MAPPED], required)
