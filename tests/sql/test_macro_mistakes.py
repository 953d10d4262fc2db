"""What macros cannot answer they refuse, in words that say what was found and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tests.small_world import publish_small_world


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A published database, open for reading."""
    path = publish_small_world(tmp_path_factory.mktemp("world"), customers=50)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("FROM funnel(['prodct_view'])", "did you mean 'product_view'"),
        ("FROM funnel(['START', 'search'])", "'START' is no touchpoint: it is where journeys"),
        ("FROM funnel([])", r"needs a list of one touchpoint or more, as in funnel\(\['search'"),
        ("FROM funnel(NULL)", "needs a list of one touchpoint or more"),
        ("FROM funnel(['search', NULL])", "no touchpoint is called 'NULL'"),
        ("FROM funnel(['search'], within := INTERVAL (-1) DAY)", "within is -1 day; it must be"),
        ("FROM funnel(['search'], within := NULL)", "within is NULL; it must be an interval of 0"),
        ("FROM step_matrix(0)", "steps is 0; it must be a whole number, 1 or more"),
        ("FROM step_matrix(-3)", "steps is -3; it must be a whole number, 1 or more"),
        ("FROM step_matrix(2.5)", r"steps is 2\.5; it must be a whole number, 1 or more"),
        ("FROM step_matrix(NULL)", "steps is NULL; it must be a whole number, 1 or more"),
        ("FROM paths_from('search', 0)", "moves is 0; it must be a whole number, 1 or more"),
        ("FROM paths_to('search', -1)", "moves is -1; it must be a whole number, 1 or more"),
        ("FROM paths_around('search', -1, 1)", "moves_before is -1; it must be a whole number"),
        ("FROM paths_around('search', 1, NULL)", "moves_after is NULL; it must be a whole number"),
        ("FROM paths_from(NULL)", "no touchpoint is called 'NULL'"),
        ("FROM paths_to('START', 1)", "nothing comes before START"),
        ("FROM paths_from('OPEN', 1)", r"nothing comes after OPEN; .* paths_to\('OPEN'\)"),
        ("FROM paths_from('purchas', 3)", "did you mean 'purchase'"),
        ("FROM paths_to('serch', 3)", "did you mean 'search'"),
        ("FROM journeys_matching('search .* add_to_card')", "did you mean 'add_to_cart'"),
        ("FROM journeys_matching('search (')", "missing \\)"),
        ("FROM cohort('purchas')", "did you mean 'purchase'"),
        ("FROM cohort('purchase', 'fortnight')", "no period is called 'fortnight'; use day, week"),
        ("FROM cohort('CONVERSION')", "'CONVERSION' is no touchpoint: it is where journeys"),
        ("FROM retention('weak')", "no period is called 'weak'; use day, week"),
        ("FROM retention(NULL)", "no period is called ''; use day, week"),
        ("FROM journeys_matching('')", "the pattern is empty; name touchpoints"),
        ("FROM journeys_matching(NULL)", "the pattern is empty; name touchpoints"),
        (
            "FROM compare_periods(DATE '2025-02-28', DATE '2025-02-01', DATE '2025-03-01', DATE '2025-03-31')",
            "period a runs from 2025-02-28 to 2025-02-01; it needs two days, of which the first",
        ),
        (
            "FROM compare_periods(DATE '2025-02-01', DATE '2025-02-28', DATE '2025-03-01', NULL)",
            "period b runs from 2025-03-01 to NULL; it needs two days",
        ),
        (
            "FROM compare_periods(DATE '2025-02-01', DATE '2025-03-31', DATE '2025-03-01', DATE '2025-04-30')",
            "the periods share days",
        ),
    ],
)
def test_a_mistake_is_told(con: duckdb.DuckDBPyConnection, query: str, told: str) -> None:
    """An unknown touchpoint names the nearest, an unknown period those there are, a number its bounds."""
    with pytest.raises(duckdb.Error, match=told):
        con.execute(query).fetchall()
