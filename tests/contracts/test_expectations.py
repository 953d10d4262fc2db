"""Expectations as data: what is shipped is sound, and a project's mistakes are all told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from contracts.expectations import (
    DERIVED,
    PARAMETERS,
    Expectation,
    shipped_suites,
    suite_mistakes,
    suites_with,
)
from contracts.loading import parse_config
from contracts.schemas import TABLES
from sql.statements import statements

PROJECT = {
    "project": "Shop",
    "sources": {"web": {"preset": "segment", "paths": "data/*"}},
}


def test_every_published_table_has_a_suite() -> None:
    """Tables of the lake and tables that publication computes; the columns named are theirs."""
    suites = shipped_suites()
    made = (re.findall(r"CREATE TABLE (\w+)", file.text) for file in statements("tables"))
    computed = {name for names in made for name in names} | {"pain_point_journeys"}
    assert {*TABLES, *computed} <= {*suites}
    own = {name: suite for name, suite in suites.items() if suite.query is None}
    assert list(suite_mistakes(own, (), ())) == []


def test_derived_tables_are_those_that_publication_computes() -> None:
    """A new file of sql/tables or sql/views can be expected of by name."""
    made = {
        name
        for folder in ("tables", "views")
        for file in statements(folder)
        for name in re.findall(r"CREATE (?:TABLE|VIEW) (\w+)", file.text)
    }
    assert made - {*TABLES} == {*DERIVED} - {"data_quality", "pain_point_journeys"}


def test_types_and_parameters_are_those_of_great_expectations() -> None:
    """What a configuration may say is what Great Expectations understands."""
    from footpath.expecting import import_library

    import_library()
    from great_expectations.expectations.registry import get_expectation_impl

    for kind, parameters in PARAMETERS.items():
        known = get_expectation_impl(kind).__fields__
        assert set(parameters) <= set(known), kind


def test_all_mistakes_of_a_projects_expectations_are_told_at_once() -> None:
    """Unknown tables, columns, types, parameters and impossible bounds, each with its place."""
    expectations = {
        "events": [
            {"expect": "expect_column_values_to_be_betwen", "column": "value", "min_value": 0},
            {"expect": "expect_column_values_to_be_between", "column": "value"},
            {"expect": "expect_column_max_to_be_between", "column": "value", "min_value": 2, "max_value": 1},
            {"expect": "expect_column_values_to_match_regex", "column": "page", "regex": "("},
            {"expect": "expect_table_row_count_to_equal", "value": 1, "regex": "x", "mostly": 2},
        ],
    }  # fmt: skip
    with pytest.raises(ConfigError) as told:
        parse_config(PROJECT | {"expectations": expectations}, base=Path())
    message = str(told.value)
    for fragment in (
        "did you mean expect_column_values_to_be_between?",
        "min_value or max_value is missing",
        "min_value 2 is greater than max_value 1",
        "regex '(' cannot be read",
        "expectations.events.expectations[5].mostly",
    ):
        assert fragment in message, message


def test_unknown_tables_and_columns_are_told_with_near_names() -> None:
    """A suite without query is named after a table, and reads columns that it has."""
    rows = {"expect": "expect_table_row_count_to_equal", "value": 1}
    suites = {
        "journey": [rows],
        "journeys": [{"expect": "expect_column_values_to_be_null", "column": "outcom"}],
        "kpis": {"query": "SELECT 1", "expectations": [rows]},
    }
    with pytest.raises(ConfigError) as told:
        parse_config(PROJECT | {"expectations": suites}, base=Path())
    message = str(told.value)
    assert "expectations.journey: is no published table" in message
    assert "did you mean 'journeys'?" in message
    assert "did you mean 'outcome'?" in message
    assert "expectations.kpis: has a query, but is named after a table" in message


def test_a_projects_expectations_are_added_to_the_shipped_ones() -> None:
    """Nothing that footpath expects can be switched off by adding to it."""
    one = Expectation(expect="expect_table_row_count_to_equal", value=1)
    own = parse_config(
        PROJECT | {"expectations": {"events": [one.model_dump(exclude_none=True)]}},
        base=Path(),
    ).expectations
    together = suites_with(own)
    shipped = shipped_suites()["events"].expectations
    assert together["events"].expectations == (*shipped, one)
