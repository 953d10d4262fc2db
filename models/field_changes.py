"""Raw fields that are new, that vanished, or whose values are of another kind than in the records before.

Every ingest counts the fields of a sample of each batch (`models.raw_fields`) and keeps the sums by source. What is
there now and was not before, or the other way round, is told if chance does not explain it: at the share that it has
where it is, at least twenty of the records where it is not would have had it (by chance that happens once in half a
billion times, e^-20). So that ids for keys make no noise, a field is new, or a kind is, only if it is in twenty of the
new records or in half of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FieldChange", "Fields", "field_changes", "fields_so_far"]

Fields = dict[str, Any]
"""Of a source: ``records`` looked at, and ``fields``: for each, how many had a value, by its kind."""

_EXPECTED = 20


@dataclass(frozen=True)
class FieldChange:
    """A difference between the records before and those that came: what happened to a field."""

    source: str
    field: str
    change: str
    """new, vanished or retyped."""
    told: str

    def __str__(self) -> str:
        """The change in words.

        >>> print(FieldChange("web", "$.coupon", "new", "text in 30 of 40 new records, in none of 900 before"))
        sources.web: raw field $.coupon is new: text in 30 of 40 new records, in none of 900 before
        """
        return f"sources.{self.source}: raw field {self.field} is {self.change}: {self.told}"


def fields_so_far(
    before: Mapping[str, Fields], batches: Iterable[Mapping[str, Any]]
) -> dict[str, Fields]:
    """By source, the counts of all batches, earlier ones included.

    Parameters
    ----------
    before : mapping of str to Fields
        What was counted before.
    batches : iterable of mapping
        A mapping a batch: source, looked (records), raw (counts of kinds by field).

    Examples
    --------
    >>> fields_so_far({}, [{"source": "web", "looked": 2, "raw": {"$.a": {"text": 1}}}])
    {'web': {'records': 2, 'fields': {'$.a': {'text': 1}}}}
    """
    records = Counter({source: known["records"] for source, known in before.items()})
    fields = {
        source: {name: Counter(kinds) for name, kinds in known["fields"].items()}
        for source, known in before.items()
    }
    for batch in batches:
        source = batch["source"]
        records[source] += batch["looked"]
        of_source = fields.setdefault(source, {})
        for name, kinds in batch["raw"].items():
            of_source.setdefault(name, Counter()).update(kinds)
    return {
        source: {
            "records": records[source],
            "fields": {name: dict(sorted(k.items())) for name, k in sorted(of_source.items())},
        }
        for source, of_source in sorted(fields.items())
    }


def field_changes(
    before: Mapping[str, Fields], batches: Iterable[Mapping[str, Any]]
) -> Iterator[FieldChange]:
    """What differs between the records before and the new batches, by source and field.

    Sources that were not read before, or are not among the batches, have not changed.
    """
    now = fields_so_far({}, batches)
    for source in sorted(set(before) & set(now)):
        known, came = before[source], now[source]
        for name in sorted(set(known["fields"]) | set(came["fields"])):
            found = _change(
                known["fields"].get(name, {}),
                came["fields"].get(name, {}),
                known["records"],
                came["records"],
            )
            if found is not None:
                yield FieldChange(source, name, *found)


def _change(
    old: Mapping[str, int], new: Mapping[str, int], before: int, came: int
) -> tuple[str, str] | None:
    """What happened to a field, and in words; None if nothing did."""
    had, has = sum(old.values()), sum(new.values())
    if not had:
        if _comes_up(has, came, before):
            shown = _listed(new)
            return (
                "new",
                f"{shown} in {has:,} of {came:,} new records, in none of {before:,} before",
            )
        return None
    if not has:
        if _is_missed(had, before, came):
            share = had / before
            return "vanished", f"in none of {came:,} new records, in {share:.1%} of those before"
        return None
    fresh = {
        kind: count for kind, count in new.items() if kind not in old and _comes_up(count, has, had)
    }
    if fresh:
        shown = f"{sum(fresh.values()):,} of {has:,} new values are {_listed(fresh)}"
        return "retyped", f"{shown}; before, all {had:,} were {_listed(old)}"
    return None


def _is_missed(had: int, before: int, came: int) -> bool:
    return had * came >= _EXPECTED * before


def _comes_up(has: int, came: int, before: int) -> bool:
    return _is_missed(has, came, before) and (has >= _EXPECTED or 2 * has >= came) if has else False


def _listed(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))
