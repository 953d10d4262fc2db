"""The dictionary says all that the database says of itself, and no more."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from footpath.dictionary import Entry, dictionary, lineage, to_html, to_markdown
from tests.small_world import publish_small_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=0)


@pytest.fixture(scope="module")
def entries(published: Path) -> list[Entry]:
    return dictionary(published)


class Page(HTMLParser):
    """Texts of a page, its ids and its links."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("id", "href", "src"):
                (self.ids if name == "id" else self.links).append(value)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_everything_is_explained(published: Path, entries: list[Entry]) -> None:
    """Tables, views and macros of the database; no meaning is empty."""
    with duckdb.connect(str(published), read_only=True) as con:
        names = con.execute("""
            SELECT table_name FROM duckdb_tables() WHERE NOT internal
            UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal
            UNION ALL SELECT function_name FROM duckdb_functions() WHERE NOT internal
        """).fetchall()
    assert sorted((entry.name,) for entry in entries) == sorted(names)
    assert [e.name for e in entries if not e.about] == []
    assert [(e.name, c) for e in entries for c, _, about in e.columns if not about] == []


def test_the_lineage_is_that_of_the_sql(entries: list[Entry]) -> None:
    """Both ends are there; nothing is made of itself in a circle; some known moves are right."""
    pairs = lineage(entries)
    names = {entry.name for entry in entries}
    assert {name for pair in pairs for name in pair} <= names
    assert ("touchpoints", "fct_touchpoint") in pairs
    assert ("journey_walks", "paths_around") in pairs
    assert ("paths_around", "paths_from") in pairs
    assert ("touchpoints", "kpis") in pairs
    reached, before = set(), {target: {s for s, t in pairs if t == target} for _, target in pairs}
    while ready := {n for n in names - reached if before.get(n, set()) <= reached}:
        reached |= ready
    assert reached == names


def test_the_page_needs_no_other_file_and_all_its_links_lead_somewhere(
    entries: list[Entry],
) -> None:
    """Every entry and every column's meaning is on it; a project's name is text, not markup."""
    page = Page()
    page.feed(to_html(entries, "<script>Näh & Garn"))
    assert {link.removeprefix("#") for link in page.links} == set(page.ids)
    assert set(page.ids) == {entry.name for entry in entries}
    texts = set(page.texts)
    assert {a for e in entries for *_, a in e.columns} <= texts
    assert "<script>Näh & Garn: data dictionary" in texts


def test_markdown_tables_keep_their_columns(entries: list[Entry]) -> None:
    """A bar in a meaning is no new column."""
    rows = [row for row in to_markdown(entries).splitlines() if row.startswith("| `")]
    assert len(rows) == sum(len(entry.columns) for entry in entries)
    assert {row.replace("\\|", "").count("|") for row in rows} == {4}
