"""The report is one file, needs no network, holds the database's rows and trusts no field."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.errors import InputError
from footpath.report import build_report, top_findings
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
    """Every element with its attributes, and the text of each script."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def _tables(html: str) -> dict[str, list[dict[str, Any]]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert found is not None
    tables = json.loads(found.group(1))["tables"]
    words = [word for (word,) in tables["words"]["rows"]]

    def read(table: dict[str, Any], row: list[Any]) -> dict[str, Any]:
        coded = table.get("coded", [])
        values = [words[value] if i in coded else value for i, value in enumerate(row)]
        return dict(zip(table["columns"], values, strict=True))

    return {name: [read(table, row) for row in table["rows"]] for name, table in tables.items()}


def test_the_page_loads_nothing_and_runs_nothing_but_its_own(page: str) -> None:
    """No element or style names a resource; the policy forbids requests, and scripts but those it knows by hash."""
    reader = _read(page)
    loading = [
        (tag, attrs) for tag, attrs in reader.elements
        if attrs.get("src") or attrs.get("srcset") or tag in ("base", "iframe", "object", "embed")
        or (attrs.get("href") and attrs["href"] != "data:,")
    ]  # fmt: skip
    assert loading == []
    style = re.findall(r"<style>(.*?)</style>", page, re.S)
    assert len(style) == 1
    assert not re.search(r"url\(|@import|https?:", style[0])
    policy = next(
        str(attrs["content"]) for _, attrs in reader.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )  # fmt: skip
    assert policy.startswith("default-src 'none'; ")
    allowed = policy.split("script-src ")[1].split()
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in reader.scripts[1:]
    ]
    assert allowed == hashes
    assert len(page.encode()) < 8_000_000


def test_the_page_holds_the_databases_rows(published: Path, page: str) -> None:
    """Cells, nodes and moves of the page are rows of map_slices, stages and transitions, all of the slices it shows."""
    tables = _tables(page)
    with duckdb.connect(str(published), read_only=True) as con:
        for name, query in (
            ("map_cells", "SELECT stage, channel, touchpoint, touchpoints, journeys FROM map_slices"),
            ("nodes", "SELECT level, segment_value, node, visits, drop_offs FROM stages "
                      "WHERE level IN ('stage', 'touchpoint')"),
            ("moves", "SELECT level, segment_value, source_node, target_node, count FROM transitions "
                      "WHERE level IN ('stage', 'touchpoint') AND count > 0"),
            ("headline", "SELECT measure, unit, segment_value FROM kpis "
                         "SEMI JOIN slices USING (segment, segment_value) "
                         "WHERE value IS NOT NULL AND (period = 'all' OR measure = 'retention_rate' "
                         "AND period = 'month' AND period_start = DATE '2025-06-01')"),
            ("people_cells", "SELECT customer_id, stage, channel, touchpoint, count(*) AS touchpoints, "
                             "count(DISTINCT journey_id) AS journeys FROM touchpoints "
                             "SEMI JOIN drawn_customers USING (customer_id) GROUP BY ALL"),
        ):  # fmt: skip
            relation = con.sql(query)
            shown = [tuple(row[c] for c in relation.columns) for row in tables[name]]
            assert sorted(shown) == sorted(relation.fetchall()), name
            assert shown, name


def test_examples_are_journeys_on_the_page_that_show_it(published: Path, page: str) -> None:
    """Each example of a cell has a step there, and is the journey that the database has under its id."""
    tables = _tables(page)
    places = [tuple(place.values()) for place in tables["places"]]
    looked_at = 0
    for cell in tables["map_cells"]:
        here = places.index((cell["stage"], cell["channel"], cell["touchpoint"]))
        for number in cell["examples"]:
            journey = tables["journeys"][number]
            assert here in journey["path"] or journey["steps"] > len(journey["path"])
            looked_at += 1
    assert looked_at > 20
    first = tables["journeys"][0]
    with duckdb.connect(str(published), read_only=True) as con:
        steps = con.execute(
            "SELECT stage, channel, touchpoint FROM journey_steps WHERE journey_id = ? ORDER BY step",
            [first["journey_id"]],
        ).fetchall()
    assert [places[i] for i in first["path"]] == steps[:40]


def test_people_can_be_told_whole(published: Path, page: str, tmp_path: Path) -> None:
    """All journeys and touchpoints of each of the hundred are on the page; with `min_group` there is nobody."""
    tables = _tables(page)
    shown = Counter(journey["customer_id"] for journey in tables["journeys"])
    touchpoints = Counter()
    for cell in tables["people_cells"]:
        touchpoints[cell["customer_id"]] += cell["touchpoints"]
    assert len(tables["people"]) == 100
    for person in tables["people"]:
        assert shown[person["customer_id"]] == person["journeys"] > 1
        assert touchpoints[person["customer_id"]] == person["touchpoints"]
    private = tmp_path / "footpath.duckdb"
    shutil.copy(published, private)
    with duckdb.connect(str(private)) as con:
        con.execute("UPDATE settings SET min_group = 10")
    html = build_report(private, tmp_path / "report.html", "x").read_text("utf-8")
    assert (_tables(html)["people"], _tables(html)["people_cells"]) == ([], [])


def test_a_persona_has_one_name_everywhere(page: str) -> None:
    """Journeys refer to personas by ids that have a name, none but the names stand beside people."""
    tables = _tables(page)
    names = {row["persona_id"]: row["name"] for row in tables["persona_names"]}
    assert (names["undetermined"], names["none"]) == ("Undetermined", "Not looked at")
    assert {journey["persona_id"] for journey in tables["journeys"]} <= names.keys()
    assert {person["persona"] for person in tables["people"]} <= set(names.values())


def test_html_in_any_field_is_text(published: Path, tmp_path: Path) -> None:
    """Markup in names, sentences, reasons and titles makes no element and ends no script."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        columns = con.sql(
            "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) "
            "WHERE data_type = 'VARCHAR' AND table_name NOT IN ('kpi_definitions', 'runs')"
        ).fetchall()
        for table, column in columns:
            con.execute(f'UPDATE "{table}" SET "{column}" = "{column}" || ?', [EVIL])
        con.execute("UPDATE data_quality SET passed = false, violations = 1")
    html = build_report(path, tmp_path / "report.html", EVIL).read_text(encoding="utf-8")
    reader = _read(html)
    assert not [tag for tag, attrs in reader.elements if tag == "img" or "onerror" in attrs]
    assert sum(tag == "script" for tag, _ in reader.elements) == html.count("</script>") == 3
    assert any(EVIL in str(row["promise"]) for row in _tables(html)["checks"])


def test_an_empty_project_has_a_report(tmp_path: Path) -> None:
    """It is small, without the chart library."""
    path = publish_small_world(tmp_path, customers=0)
    html = build_report(path, tmp_path / "new" / "report.html", "Empty").read_text(encoding="utf-8")
    assert _tables(html)["project"][0]["journeys"] == 0
    assert len(html) < 150_000
    assert top_findings(path) == []


def test_what_changed_since_the_version_before_is_told(published: Path, tmp_path: Path) -> None:
    """A finding that was not there is new, one that is no more is gone, and KPIs stand side by side."""
    before = tmp_path / "before.duckdb"
    shutil.copy(published, before)
    with duckdb.connect(str(before)) as con:
        con.execute("UPDATE pain_points SET node = 'search', sentence = 'was here' WHERE rank = 1")
        con.execute("UPDATE kpis SET value = value + 1 WHERE measure = 'customers'")
    html = build_report(published, tmp_path / "report.html", "x", before).read_text("utf-8")
    tables = _tables(html)
    assert {row["change"] for row in tables["changes_findings"]} >= {"new", "gone"}
    assert [r["sentence"] for r in tables["changes_findings"] if r["change"] == "gone"] == [
        "was here"
    ]
    customers = next(r for r in tables["changes_kpis"] if r["measure"] == "customers")
    assert customers["value_before"] == customers["value_now"] + 1


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


def test_a_database_of_another_version_is_told(published: Path, tmp_path: Path) -> None:
    """One that lacks a table of today's pages names it, and what to do."""
    old = tmp_path / "old.duckdb"
    shutil.copy(published, old)
    with duckdb.connect(str(old)) as con:
        con.execute("DROP TABLE journey_flow")
    with pytest.raises(InputError, match=r"journey_flow.*'footpath publish' publishes it anew"):
        build_report(old, tmp_path / "report.html", "Shop")
