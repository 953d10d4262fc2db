"""Touchpoint and stage of every event, by declared rules; the first that matches wins.

Rules are tried once for every distinct combination of the values they look at, of which there are
hundreds, and the answer is gathered by rows.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from contracts.config import OTHER, Rule
from models.dictionaries import codes_of

__all__ = ["RuledEvents", "apply_rules"]


@dataclass(frozen=True)
class RuledEvents:
    """For every event: its touchpoint and stage, whether a rule matched, whether it is to be ignored."""

    touchpoint: pa.DictionaryArray
    stage: pa.DictionaryArray
    matched: np.ndarray
    ignored: np.ndarray


def apply_rules(events: pa.Table, rules: Sequence[Rule]) -> RuledEvents:
    """Apply the rules to events whose text columns are dictionary-encoded.

    Raises
    ------
    KeyError
        If a rule looks at a column the events do not have.
    """
    columns = sorted({name for rule in rules for name in rule.when})
    codes, sizes, texts = [], [], []
    for name in columns:
        column = events[name].combine_chunks()
        codes.append(codes_of(column) + 1)
        sizes.append(len(column.dictionary) + 1)
        texts.append([None, *column.dictionary.to_pylist()])
    combinations, row_of = _combinations(codes, sizes, len(events))
    winner = _winners(combinations, texts, columns, rules)
    touchpoints = sorted({rule.touchpoint for rule in rules if rule.touchpoint} | {OTHER})
    stages = sorted({rule.stage for rule in rules if rule.stage} | {OTHER})
    outcome = [(OTHER, OTHER), *((r.touchpoint or OTHER, r.stage or OTHER) for r in rules)]
    touchpoint_of = np.array([touchpoints.index(t) for t, _ in outcome], np.int32)
    stage_of = np.array([stages.index(s) for _, s in outcome], np.int32)
    ignores = np.array([False, *(rule.ignore for rule in rules)])
    rule_of = winner[row_of] + 1
    return RuledEvents(
        pa.DictionaryArray.from_arrays(pa.array(touchpoint_of[rule_of]), touchpoints),
        pa.DictionaryArray.from_arrays(pa.array(stage_of[rule_of]), stages),
        rule_of > 0,
        ignores[rule_of],
    )


def _combinations(
    codes: list[np.ndarray], sizes: list[int], rows: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The distinct combinations of codes (columns), and which of them each row has."""
    combined, span = np.zeros(rows, np.int64), 1
    for code, size in zip(codes, sizes, strict=True):
        if span * size > 1 << 40:
            distinct, combined = np.unique(combined, return_inverse=True)
            span = len(distinct)
        combined = combined * size + code
        span *= size
    if span <= 1 << 22:
        present = np.flatnonzero(np.bincount(combined, minlength=span))
        numbers = np.zeros(span, np.int64)
        numbers[present] = np.arange(len(present))
        row_of = numbers[combined]
    else:
        present, row_of = np.unique(combined, return_inverse=True)
    example = np.zeros(len(present), np.int64)
    example[row_of] = np.arange(rows)
    return [code[example] for code in codes], row_of


def _winners(
    combinations: list[np.ndarray],
    texts: list[list[str | None]],
    columns: list[str],
    rules: Sequence[Rule],
) -> np.ndarray:
    """The first rule that matches each combination; -1 for none."""
    count = len(combinations[0])
    winner = np.full(count, -1, np.int64)
    for number, rule in enumerate(rules):
        matches = winner < 0
        for name, patterns in rule.when.items():
            place = columns.index(name)
            of_value = np.array([_matches(text, patterns) for text in texts[place]])
            matches &= of_value[combinations[place]]
        winner[matches] = number
    return winner


def _matches(text: str | None, patterns: Sequence[str]) -> bool:
    if text is None:
        return False
    return any(_pattern(pattern).match(text) for pattern in patterns)


_COMPILED: dict[str, re.Pattern[str]] = {}


def _pattern(glob: str) -> re.Pattern[str]:
    if glob not in _COMPILED:
        literal = re.escape(glob) + r"\Z"
        wild = "*" in glob or "?" in glob
        source = fnmatch.translate(glob.replace("[", "[[]")) if wild else literal
        _COMPILED[glob] = re.compile(source, re.IGNORECASE | re.DOTALL)
    return _COMPILED[glob]
