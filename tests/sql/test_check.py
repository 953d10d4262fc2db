"""Every check holds on a consistent database, and the right one breaks when a number is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from contracts.errors import InputError
from sql.check import CheckResult, run_checks, stored_checks
from sql.statements import statements
from tests.small_world import publish_small_world

BROKEN_BY = [
    ("attribution_sums", "UPDATE attribution SET credit = credit + 0.1 WHERE model = 'last_touch'"),
    (
        "flow_conserved",
        """
        UPDATE transitions SET count = count + 1
        WHERE level = 'stage' AND segment = 'all' AND source_node = 'awareness'
            AND target_node = 'consideration'""",
    ),
    ("journey_flow_conserved", "DELETE FROM journey_flow WHERE target_node = 'DROP_OFF'"),
    ("map_slices_agree", "UPDATE map_slices SET touchpoints = touchpoints + 1"),
    ("journeys_end_once", "UPDATE journeys SET outcome = 'open' WHERE outcome = 'lapsed'"),
    ("journeys_start_once", "DELETE FROM journeys WHERE outcome = 'lapsed'"),
    ("keys_unique", "INSERT INTO identities FROM identities LIMIT 1"),
    (
        "kpis_add_up",
        """
        UPDATE kpis SET value = value + 1
        WHERE measure = 'revenue' AND period = 'week' AND segment = 'all'""",
    ),
    ("ledger_rows", "DELETE FROM dead_letters WHERE position = 1"),
    ("ledger_rows", "UPDATE events SET file_id = 'web1' WHERE event_id = 'x0'"),
    ("ledger_rows", "DELETE FROM quarantine"),
    ("ledger_sums", "UPDATE ingest_ledger SET withheld = withheld + 1 WHERE file_id = 'web0'"),
    ("map_cells_add_up", "DELETE FROM map_cells WHERE touchpoint = 'search'"),
    ("persona_customers", "UPDATE customer_personas SET journeys = journeys + 1"),
    ("persona_names", "UPDATE personas SET name = 'The same'"),
    ("persona_sentences", "UPDATE personas SET portrait = portrait || ' They are nice.'"),
    ("persona_journeys", "UPDATE personas SET journeys = journeys - 1 WHERE persona_id = 'p1'"),
    ("persona_journeys_exist", "UPDATE journey_personas SET journey_id = journey_id || '!'"),
    (
        "probabilities_sum_to_one",
        """
        UPDATE transitions SET probability = probability / 2
        WHERE level = 'stage' AND segment = 'all' AND source_node = 'purchase'""",
    ),
    ("settled_moves", "UPDATE stages SET settled = visits WHERE level = 'stage'"),
    ("star_keys", "UPDATE journey_personas SET persona_id = 'p77' WHERE persona_id = 'p1'"),
    (
        "star_keys",
        "DELETE FROM sessions WHERE customer_id = (SELECT min(customer_id) FROM sessions)",
    ),
    ("touchpoint_accounting", "UPDATE touchpoint_accounting SET ignored = 0 WHERE source = 'web'"),
    (
        "touchpoints_of_journeys",
        """
        UPDATE journeys SET touchpoints = touchpoints + 1
        WHERE journey_id = (SELECT min(journey_id) FROM journeys)""",
    ),
    (
        "touchpoints_of_sessions",
        """
        UPDATE touchpoints SET session_step = session_step + 1
        WHERE session_id = (SELECT min(session_id) FROM sessions)""",
    ),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A consistent database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=150)


def test_every_check_holds_on_a_consistent_database(published: Path) -> None:
    """No false alarm; every check says what it promises, and its results are stored."""
    results = run_checks(published)
    assert [str(result) for result in results if not result.passed] == []
    assert all(result.promise.endswith(".") for result in results)
    assert stored_checks(published) == results


def test_every_check_has_a_way_to_break_it() -> None:
    """The list of this file is complete."""
    assert sorted({name for name, _ in BROKEN_BY}) == [check.name for check in statements("checks")]


@pytest.mark.parametrize(("name", "change"), BROKEN_BY)
def test_a_changed_number_breaks_its_check(
    published: Path, tmp_path: Path, name: str, change: str
) -> None:
    """The check that ought to notice does, and tells in words what it found."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        con.execute(change)
    result = next(result for result in run_checks(path) if result.name == name)
    assert not result.passed
    assert result.examples
    assert all(result.examples)


def test_a_result_tells_the_difference_in_words(published: Path, tmp_path: Path) -> None:
    """Source, file and both numbers are named."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        con.execute("DELETE FROM dead_letters WHERE position <= 2")
    result = next(r for r in run_checks(path) if r.name == "ledger_rows")
    assert result.examples == ("source web, file web1: the ledger says 7, dead_letters holds 5",)
    assert "Broken by 1 row:" in str(result)


def test_a_passed_check_says_so() -> None:
    """One line for a check that holds."""
    assert str(CheckResult("sum", "Parts add up.")) == "sum: Parts add up. Holds."


def test_a_missing_or_foreign_file_is_told(tmp_path: Path) -> None:
    """No traceback of DuckDB's, but what is wrong with which file."""
    with pytest.raises(InputError, match="no such database"):
        run_checks(tmp_path / "nothing.duckdb")
    foreign = tmp_path / "foreign.duckdb"
    foreign.write_text("a,b\n" * 5000)
    with pytest.raises(InputError, match="cannot be opened"):
        run_checks(foreign)
