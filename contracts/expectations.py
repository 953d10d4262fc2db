"""Expectations: what must, or should, be true of published tables, as data that Great Expectations runs.

A *suite* is a list of expectations about the rows of one table, or of one query over the published tables. The
shipped suites are in ``contracts/expectations/*.yml``; ``expectations:`` in ``footpath.yml`` adds to them.
Each names a type of Great Expectations [1]_ and its parameters as they are called there. A broken *critical*
expectation stops the publication, a broken *warning* is told. Types that need a sample, a distribution or a
connection to a database are left out: all that are known here are asked of whole tables.

References
----------
.. [1] https://greatexpectations.io/expectations
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.errors import Problem
from contracts.schemas import TABLES, table_columns

__all__ = [
    "DERIVED",
    "PARAMETERS",
    "Expectation",
    "Suite",
    "shipped_suites",
    "suite_mistakes",
    "suites_with",
]

DERIVED = (
    "data_quality", "dim_customer", "dim_date", "dim_persona", "dim_stage", "dim_touchpoint", "drawn_customers",
    "fct_journey", "fct_session", "fct_touchpoint", "fct_transition", "first_visits", "journey_flow", "journey_letters",
    "journey_steps", "journey_walks", "kpi_definitions", "kpis", "map_cells", "map_slices", "pain_point_journeys",
    "settings", "slices", "stage_order",
)  # fmt: skip
"""Tables and views that publication computes beside those of the lake."""

_ADDED = {"journeys": ("outcome",)}
"""Columns that publication adds to tables of the lake."""

_RANGE = ("min_value", "max_value")
_STRICT_RANGE = (*_RANGE, "strict_min", "strict_max")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "expect_column_values_to_not_be_null": ("column", "mostly"),
    "expect_column_values_to_be_null": ("column", "mostly"),
    "expect_column_values_to_be_unique": ("column", "mostly"),
    "expect_column_values_to_be_between": ("column", *_STRICT_RANGE, "mostly"),
    "expect_column_values_to_be_in_set": ("column", "value_set", "mostly"),
    "expect_column_values_to_not_be_in_set": ("column", "value_set", "mostly"),
    "expect_column_values_to_match_regex": ("column", "regex", "mostly"),
    "expect_column_values_to_not_match_regex": ("column", "regex", "mostly"),
    "expect_column_value_lengths_to_be_between": ("column", *_RANGE, "mostly"),
    "expect_column_max_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_min_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_mean_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_median_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_sum_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_stdev_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_unique_value_count_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_proportion_of_unique_values_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_proportion_of_non_null_values_to_be_between": ("column", *_STRICT_RANGE),
    "expect_column_distinct_values_to_be_in_set": ("column", "value_set"),
    "expect_column_distinct_values_to_contain_set": ("column", "value_set"),
    "expect_column_distinct_values_to_equal_set": ("column", "value_set"),
    "expect_column_pair_values_a_to_be_greater_than_b": (
        "column_A", "column_B", "or_equal", "mostly",
    ),
    "expect_column_pair_values_to_be_equal": ("column_A", "column_B", "mostly"),
    "expect_compound_columns_to_be_unique": ("column_list", "mostly"),
    "expect_table_row_count_to_be_between": _RANGE,
    "expect_table_row_count_to_equal": ("value",),
}  # fmt: skip
"""The types that footpath knows, and their parameters."""

_REQUIRED = ("column", "column_A", "column_B", "column_list", "value_set", "regex", "value")

Bound = int | float | datetime | date


class Expectation(BaseModel):
    """One expectation of a type of Great Expectations; `columns` writes it down for several columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expect: str
    """Type, such as expect_column_values_to_be_between."""
    severity: Literal["critical", "warning"] = "critical"
    """critical: a version that breaks it is not published; warning: it is, and tells so."""
    because: str = ""
    """What is wrong where it does not hold, in words."""
    columns: tuple[str, ...] = ()
    column: str | None = None
    column_A: str | None = None  # noqa: N815 - Great Expectations calls it so
    column_B: str | None = None  # noqa: N815
    column_list: tuple[str, ...] | None = None
    value_set: tuple[str | int | float | bool, ...] | None = None
    regex: str | None = None
    value: int | None = None
    min_value: Bound | None = None
    max_value: Bound | None = None
    strict_min: bool | None = None
    strict_max: bool | None = None
    or_equal: bool | None = None
    mostly: float | None = Field(default=None, gt=0, le=1)
    """Share of the values, nulls left out, for which it must be true; default: all."""

    @model_validator(mode="after")
    def _consistent(self) -> Expectation:
        if self.expect not in PARAMETERS:
            close = difflib.get_close_matches(self.expect, PARAMETERS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(
                f"{self.expect!r} is no known type of expectation{hint} allowed: {', '.join(PARAMETERS)}"
            )
        allowed = PARAMETERS[self.expect]
        given = {name for name in _OF_TYPES if getattr(self, name) is not None}
        mistakes = [f"{name} is no parameter of {self.expect}" for name in sorted(given)
                    if name not in allowed]  # fmt: skip
        if self.columns and "column" not in allowed:
            mistakes.append(f"columns is no parameter of {self.expect}")
        given |= {"column"} if self.columns else set()
        mistakes += [
            f"{name} is missing" for name in _REQUIRED if name in allowed and name not in given
        ]
        if "min_value" in allowed and not given & {"min_value", "max_value"}:
            mistakes.append("min_value or max_value is missing")
        if self.columns and self.column is not None:
            mistakes.append("give column or columns, not both")
        mistakes += self._bounds()
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                mistakes.append(f"regex {self.regex!r} cannot be read ({error})")
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    def _bounds(self) -> Iterator[str]:
        low, high = self.min_value, self.max_value
        if low is None or high is None:
            return
        if isinstance(low, int | float) != isinstance(high, int | float):
            yield f"min_value {low} and max_value {high} are not of one kind"
        elif str(low) > str(high) if isinstance(low, date) else low > high:  # type: ignore[operator]
            yield f"min_value {low} is greater than max_value {high}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What is given to Great Expectations beside the column."""
        names = [name for name in PARAMETERS[self.expect] if name != "column"]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """Columns that it reads."""
        pair = [name for name in (self.column, self.column_A, self.column_B) if name is not None]
        return (*self.columns, *pair, *(self.column_list or ()))


_OF_TYPES = tuple(dict.fromkeys(name for names in PARAMETERS.values() for name in names))


class Suite(BaseModel):
    """Expectations of a table, or of the rows of a query over the published tables."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str | None = None
    """One SELECT; default: the table that the suite is named after."""
    expectations: tuple[Expectation, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return {"expectations": value} if isinstance(value, list | tuple) else value


@cache
def shipped_suites() -> dict[str, Suite]:
    """The suites of ``contracts/expectations/*.yml``, by name."""
    folder = resources.files("contracts") / "expectations"
    found: dict[str, Suite] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yml"):
            document = yaml.safe_load(file.read_text("utf-8"))
            found |= {name: Suite.model_validate(suite) for name, suite in document.items()}
    return found


def suites_with(own: Mapping[str, Suite]) -> dict[str, Suite]:
    """The shipped suites and a project's own; expectations of the same table become one suite."""
    together = dict(shipped_suites())
    for name, suite in own.items():
        shipped = together.get(name)
        joined = suite.expectations
        if shipped is not None and suite.query is None:
            joined = (*shipped.expectations, *joined)
        together[name] = suite.model_copy(update={"expectations": joined})
    return together


def suite_mistakes(
    own: Mapping[str, Suite], namespaces: tuple[str, ...], attributes: tuple[str, ...]
) -> Iterator[Problem]:
    """Names of tables and columns in a project's suites that nothing published has."""
    tables = [*TABLES, *DERIVED]
    for name, suite in own.items():
        place = f"expectations.{name}"
        if suite.query is not None:
            if name in (*tables, *shipped_suites()):
                found = "has a query, but is named after a table or a suite of footpath's"
                yield Problem(place, found, "choose another name")
        elif name not in tables:
            close = difflib.get_close_matches(name, tables, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            fix = f"{hint}a suite without query is named after a table: {', '.join(tables)}"
            yield Problem(place, "is no published table", fix)
        elif name in TABLES:
            columns = [c.name for c in table_columns(TABLES[name], namespaces, attributes)]
            columns += _ADDED.get(name, ())
            for number, expectation in enumerate(suite.expectations, start=1):
                for column in expectation.names:
                    if column not in columns:
                        close = difflib.get_close_matches(column, columns, n=1)
                        hint = f"did you mean {close[0]!r}? " if close else ""
                        fix = f"{hint}allowed: {', '.join(columns)}"
                        found = f"{column!r} is no column of {name}"
                        yield Problem(f"{place}[{number}]", found, fix)
