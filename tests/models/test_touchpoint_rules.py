"""Rules are tried in order and the first that matches wins; what none matches is other."""

from __future__ import annotations

import fnmatch
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Rule
from models.dictionaries import encode
from models.touchpoint_rules import apply_rules


def rule(when: dict[str, Any], touchpoint: str | None = "t", **more: Any) -> Rule:
    return Rule(touchpoint=touchpoint, stage=touchpoint and "awareness", when=when, **more)


def events(**columns: list[str | None]) -> pa.Table:
    return pa.table(
        {name: encode(pa.array(values, pa.string())) for name, values in columns.items()}
    )


def test_the_first_rule_that_matches_wins():
    """Conditions are joined by and, values by or; null matches nothing, not even *."""
    table = events(
        event_type=["buy", "BUY", "view", None, "x"], channel=["web", "store", "web", "web", None]
    )
    ruled = apply_rules(
        table,
        [
            rule({"event_type": "buy", "channel": "store"}, "till"),
            rule({"event_type": ["buy", "order"]}, "purchase"),
            rule({"event_type": "v*"}, None, ignore=True),
            rule({"channel": "*"}, "any"),
        ],
    )
    assert ruled.touchpoint.to_pylist() == ["purchase", "till", "other", "any", "other"]
    assert ruled.matched.tolist() == [True, True, True, True, False]
    assert ruled.ignored.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("glob", "text", "matches"),
    [
        ("a*c", "ABC", True),
        ("a?c", "ac", False),
        ("a[b]*", "a[b]x", True),
        ("a[b]*", "abx", False),
        ("a.c", "abc", False),
        ("*", "line\nline", True),
        ("a", "a\n", False),
    ],
)
def test_globs_know_star_and_question_mark_only(glob: str, text: str, matches: bool):
    """Everything else is literal, and the whole text must match, without case."""
    assert bool(apply_rules(events(page=[text]), [rule({"page": glob})]).matched[0]) is matches


VALUE = st.none() | st.sampled_from(["a", "ab", "B", ""])
PATTERN = st.sampled_from(["a", "a*", "?", "*", "b"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(VALUE, VALUE), max_size=10),
    st.lists(
        st.dictionaries(st.sampled_from(["page", "channel"]), PATTERN, min_size=1),
        min_size=1,
        max_size=4,
    ),
)
def test_every_row_as_a_loop_would_rule_it(
    rows: list[tuple[str | None, str | None]], whens: list[dict[str, str]]
):
    """The answer for combinations, gathered, is the answer for rows."""
    table = events(page=[r[0] for r in rows], channel=[r[1] for r in rows])
    ruled = apply_rules(table, [rule(when, f"t{n}") for n, when in enumerate(whens)])

    def expected(row: dict[str, str | None]) -> str:
        for number, when in enumerate(whens):
            if all(
                (text := row[name]) is not None and fnmatch.fnmatchcase(text.lower(), glob)
                for name, glob in when.items()
            ):
                return f"t{number}"
        return "other"

    found = [expected({"page": page, "channel": channel}) for page, channel in rows]
    assert ruled.touchpoint.to_pylist() == found
    assert ruled.matched.tolist() == [name != "other" for name in found]


def test_an_unknown_column_is_an_error():
    """A rule that looks at nothing must not pass in silence."""
    with pytest.raises(KeyError):
        apply_rules(events(page=["a"]), [rule({"pge": "a"})])
