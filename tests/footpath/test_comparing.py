"""`footpath compare`: groups named in words, their rates as text and as a picture."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from contracts.errors import InputError
from footpath.comparing import comparison, draw, lines
from sql.comparison import trials_of
from tests.small_world import publish_small_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world's database."""
    return publish_small_world(tmp_path_factory.mktemp("small"))


def test_a_segment_against_the_rest(published: Path) -> None:
    """Conversion and journeys of both groups are those that SQL counts."""
    table, journeys = comparison(published, "device=mobile", "rest", 20)
    with duckdb.connect(str(published), read_only=True) as con:
        found = con.sql(
            """SELECT coalesce(device = 'mobile', false) AS m, count(*),
              count_if(outcome = 'converted') / count_if(outcome <> 'open')
            FROM journeys GROUP BY m ORDER BY m DESC"""
        ).fetchall()
    assert [journeys["a"], journeys["b"]] == [n for _, n, _ in found]
    (row,) = (
        r for r in table.to_pylist() if (r["measure"], r["node"]) == ("convert", "START")
    )  # fmt: skip
    assert (row["a"], row["b"]) == pytest.approx(tuple(rate for *_, rate in found))
    assert row["low"] < row["difference"] < row["high"]


def test_the_text_says_who_and_how_many(published: Path) -> None:
    """Groups with their journeys, how many rates differ, and the rates."""
    table, journeys = comparison(published, "device=mobile", "rest", 20)
    text = "\n".join(lines(table, journeys, "device=mobile", "rest"))
    assert f"device=mobile: {journeys['a']:,} journeys" in text
    assert f"{len(table)} rates compared" in text
    assert "conversion" in text


def test_the_picture_is_a_page_of_its_own(published: Path, tmp_path: Path) -> None:
    """Everything is in the file: it loads nothing from elsewhere, and names the rates."""
    table, _ = comparison(published, "device=mobile", "rest", 20)
    page = tmp_path / "compare.html"
    draw(table, page, "device=mobile", "rest")
    text = page.read_text("utf-8")
    assert "conversion" in text
    assert 'src="http' not in text


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [
        ("mobile", "rest", "write NAME=VALUE with NAME one of period, persona"),
        ("colour=red", "rest", "journeys have no column 'colour'"),
        ("device=fridge", "rest", "no journey has device 'fridge'; there are"),
        ("period=yesterday", "rest", "write a day, or FIRST..LAST"),
        ("rest", "rest", "both groups are 'rest'"),
        ("device=mobile", "device=mobile", "journeys are in both groups"),
        ("period=1999-01-01", "rest", "no journey is in group period=1999-01-01"),
    ],
)
def test_groups_that_make_no_sense_are_told(published: Path, a: str, b: str, says: str) -> None:
    """The error says what was found and what there is."""
    with pytest.raises(InputError) as error:
        trials_of(published, a, b)
    assert says in str(error.value)


def test_periods_and_personas_are_groups(published: Path) -> None:
    """Journeys that began on the days of a period, the last included; journeys of a persona."""
    with duckdb.connect(str(published), read_only=True) as con:
        ((first, last, n),) = con.sql(
            """SELECT min(started_at::DATE), min(started_at::DATE) + 20,
              count_if(started_at::DATE <= (SELECT min(started_at::DATE) + 20 FROM journeys))
            FROM journeys"""
        ).fetchall()
        ((of_p1,),) = con.sql(
            "SELECT count(*) FROM journey_personas WHERE persona_id = 'p1'"
        ).fetchall()
    assert trials_of(published, f"period={first}..{last}", "rest")[1]["a"] == n
    assert trials_of(published, "persona=p1", "persona=p2")[1]["a"] == of_p1
