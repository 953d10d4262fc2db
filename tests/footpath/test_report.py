"""The report is one file, needs no network, shows the database's numbers and trusts no field."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from contracts.errors import InputError
from footpath.report import build_report, top_findings
from footpath.report import wording as say
from tests.small_world import publish_small_world

EVIL = "<img src=x onerror=alert(1)>\"'</script><b>"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=400)


@pytest.fixture(scope="module")
def page(published: Path) -> str:
    """Its report."""
    out = build_report(published, published.with_name("report.html"), "A & B")
    return out.read_text(encoding="utf-8")


class _Reader(HTMLParser):
    """Every element with its attributes, and the text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.texts.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def test_the_page_loads_nothing(page: str) -> None:
    """No element names a resource, no style a URL, and the page's policy forbids all requests."""
    reader = _read(page)
    loading = [
        (tag, attrs)
        for tag, attrs in reader.elements
        if attrs.get("src") or attrs.get("srcset") or attrs.get("data")
        or (tag in ("link", "base", "iframe", "object", "embed"))
        or (attrs.get("href") and not str(attrs["href"]).startswith("#"))
    ]  # fmt: skip
    assert loading == []
    style = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(style) == 1
    assert not re.search(r"url\(|@import|https?:", style[0])
    policy = next(
        attrs["content"] for tag, attrs in reader.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )  # fmt: skip
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert len(page.encode()) < 8_000_000


def test_headline_numbers_are_the_databases(published: Path, page: str) -> None:
    """Customers, journeys, conversion and revenue appear as kpis holds them."""
    text = " ".join(_read(page).texts)
    with duckdb.connect(str(published), read_only=True) as con:
        kpis = dict(
            con.sql(
                "SELECT measure, value FROM kpis WHERE period = 'all' AND segment = 'all'"
            ).fetchall()
        )
    assert say.count(kpis["customers"]) in text
    assert say.count(kpis["journeys_started"]) in text
    assert say.percent(kpis["conversion_rate"], 1) in text
    assert say.money(kpis["revenue"], "EUR") in text


def test_every_entry_of_the_map_is_drawn_with_its_evidence(published: Path, page: str) -> None:
    """As many entries as map_cells has rows, each with a query that returns its row."""
    with duckdb.connect(str(published), read_only=True) as con:
        cells = con.sql("SELECT count(*) FROM map_cells").fetchall()[0][0]
        reader = _read(page)
        assert sum("data-evidence" in attrs for _, attrs in reader.elements) == cells
        queries = [t for t in reader.texts if t.startswith("SELECT *\nFROM map_cells")]
        assert len(queries) == cells
        assert all(len(con.sql(query).fetchall()) == 1 for query in queries)


def test_the_flow_holds_the_transitions(published: Path, page: str) -> None:
    """The diagram's moves between stages are those of the table transitions."""
    data = re.search(r'<script type="application/json" id="flow-data">(.*?)</script>', page, re.S)
    assert data is not None
    flow = json.loads(data.group(1))["stage"]
    drawn = {
        (flow["nodes"][m["from"]]["label"], flow["nodes"][m["to"]]["label"]): m["count"]
        for m in flow["moves"]
    }
    with duckdb.connect(str(published), read_only=True) as con:
        rows = con.sql(
            "SELECT source_node, target_node, count FROM transitions "
            "WHERE level = 'stage' AND segment = 'all'"
        ).fetchall()
    assert drawn == {(say.name(a), say.name(b)): n for a, b, n in rows}


def test_html_in_any_field_is_text(published: Path, tmp_path: Path) -> None:
    """Markup in names, sentences, reasons and titles makes no element and ends no script."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        for table, column in (
            ("map_cells", "touchpoint"), ("map_cells", "channel"), ("map_cells", "stage"),
            ("stage_order", "stage"), ("stages", "node"), ("transitions", "source_node"),
            ("transitions", "target_node"), ("pain_points", "sentence"), ("pain_points", "query"),
            ("pain_points", "node"), ("personas", "name"), ("personas", "grade"),
            ("persona_features", "feature"), ("touchpoints", "touchpoint"),
            ("ingest_ledger", "source"), ("dead_letters", "reason"), ("dead_letters", "message"),
            ("unmatched_events", "event_type"), ("data_quality", "promise"),
            ("data_quality", "examples"), ("kpis", "unit"), ("kpi_definitions", "definition"),
        ):  # fmt: skip
            con.execute(f"UPDATE {table} SET {column} = coalesce({column}, '') || ?", [EVIL])
        con.execute("UPDATE data_quality SET passed = false, violations = 1")
    html = build_report(path, tmp_path / "report.html", EVIL).read_text(encoding="utf-8")
    reader = _read(html)
    assert not [tag for tag, attrs in reader.elements if tag == "img" or "onerror" in attrs]
    assert sum(tag == "script" for tag, _ in reader.elements) == html.count("</script>")
    assert any("onerror=alert(1)" in text for text in reader.texts)


def test_an_empty_project_has_a_report(tmp_path: Path) -> None:
    """Every section is there and says what it is waiting for; the chart library is left out."""
    path = publish_small_world(tmp_path, customers=0)
    out = build_report(path, tmp_path / "new" / "report.html", "Empty")
    html = out.read_text(encoding="utf-8")
    for section in ("map", "flow", "findings", "personas", "health"):
        assert f'id="{section}"' in html
    assert "No journeys yet" in html
    assert len(html) < 100_000
    assert top_findings(path) == []


def test_no_structure_is_told_as_a_finding(published: Path, tmp_path: Path) -> None:
    """Without personas the page says what that means."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        con.execute("DELETE FROM personas")
    html = build_report(path, tmp_path / "report.html", "x").read_text(encoding="utf-8")
    assert "No structure found." in html


def test_top_findings_are_the_first_sentences_by_rank(published: Path, tmp_path: Path) -> None:
    """As many as asked for, firmest first."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        con.execute("DELETE FROM pain_points")
        con.execute("INSERT INTO pain_points BY NAME SELECT unnest([3, 1, 2]) AS rank, "
                    "unnest(['third', 'first', 'second']) AS sentence")  # fmt: skip
    assert top_findings(path, 2) == ["first", "second"]


def test_a_missing_database_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(InputError, match=r"nothing\.duckdb: no such database"):
        build_report(tmp_path / "nothing.duckdb", tmp_path / "report.html", "x")
