"""Exports open in other programs' own readers, and say what the database says."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import networkx as nx
import pytest
from PIL import Image

from contracts.errors import InputError
from footpath.csv_text import csv_text
from footpath.export import FORMATS, export
from footpath.export.content import shown_of
from footpath.export.diagrams import LEGEND
from tests.small_world import publish_small_world

MERMAID = Path(os.environ.get("MERMAID", "build/mermaid")).resolve()
PROJECT = 'A shop: "Näh & Garn" #1'


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with findings, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=400)


@pytest.fixture(scope="module")
def files(published: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every format, by name."""
    folder = tmp_path_factory.mktemp("export")
    paths = export(published, folder, list(FORMATS), project=PROJECT, level="touchpoint")
    return {name: path.read_bytes() for name, path in zip(FORMATS, paths, strict=True)}


@pytest.fixture(scope="module")
def moves(published: Path) -> dict[tuple[str, str], int]:
    """Moves between touchpoints, as the database counts them."""
    with duckdb.connect(str(published), read_only=True) as con:
        rows = con.execute(
            "SELECT source_node, target_node, count FROM transitions "
            "WHERE level = 'touchpoint' AND segment = 'all'"
        ).fetchall()
    return {(source, target): count for source, target, count in rows}


def test_the_svg_is_xml_that_tells_the_map(files: dict[str, bytes], published: Path) -> None:
    """Every touchpoint's name and number stand in it as text, and the first finding's words."""
    root = ElementTree.fromstring(files["svg"])
    texts = Counter("".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text"))
    with duckdb.connect(str(published), read_only=True) as con:
        cells = con.execute("SELECT touchpoint, touchpoints FROM map_cells").fetchall()
        first = con.execute("SELECT sentence FROM pain_points WHERE rank = 1").fetchall()
    for touchpoint, count in cells:
        assert texts[touchpoint]
        assert texts[f"{count:,}"]
    assert PROJECT in texts
    assert any(text.startswith("1. ") and text[3:] in first[0][0] for text in texts)


def test_what_converts_or_hurts_is_drawn_however_rare() -> None:
    """The commonest cells, and behind them such as nobody may miss."""
    cells = [{"touchpoint": t, "converts": t == "buy", "pain_rank": {"pay": 1}.get(t)}
             for t in ("see", "seek", "sort", "pay", "buy")]  # fmt: skip
    assert [c["touchpoint"] for c in shown_of(cells, 2)] == ["see", "seek", "pay", "buy"]
    assert shown_of(cells, 9) == cells


def test_the_picture_is_drawn(files: dict[str, bytes]) -> None:
    """The PNG opens, is wide enough to read, and shows more than one colour; the PDF is one page."""
    picture = Image.open(io.BytesIO(files["png"]))
    assert picture.width > 2000
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 100
    assert files["pdf"].startswith(b"%PDF-")
    assert files["pdf"].count(b"/Type /Page\n") + files["pdf"].count(b"/Type /Page ") == 1


@pytest.mark.parametrize("name", FORMATS)
def test_equal_databases_give_equal_bytes(
    files: dict[str, bytes], published: Path, tmp_path: Path, name: str
) -> None:
    """No time of writing, no random id."""
    (again,) = export(published, tmp_path, [name], project=PROJECT, level="touchpoint")
    assert again.read_bytes() == files[name]


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # pydot's use of pyparsing
def test_graphml_and_dot_hold_the_graph(
    files: dict[str, bytes], moves: dict[tuple[str, str], int]
) -> None:
    """By networkx's reader, and by pydot's of the DOT language."""
    import pydot

    graph = nx.parse_graphml(files["graphml"].decode())
    assert {(a, b): d["count"] for a, b, d in graph.edges(data=True)} == moves
    (dot,) = pydot.graph_from_dot_data(files["dot"].decode())
    found = {
        (edge.get_source().strip('"'), edge.get_destination().strip('"')): edge.get_label()
        for edge in dot.get_edges()
    }
    assert {
        ends: int(label.strip('"').split()[0].replace(",", "")) for ends, label in found.items()
    } == moves
    named = {node.get_name().strip('"') for node in dot.get_nodes()} - {"node", "edge"}
    assert named == {name for ends in moves for name in ends}


def test_draw_io_holds_the_graph(
    files: dict[str, bytes], moves: dict[tuple[str, str], int]
) -> None:
    """A box for every node and an arrow for every move, with its count."""
    cells = ElementTree.fromstring(files["drawio"]).findall("diagram/mxGraphModel/root/mxCell")
    named = {
        c.get("id"): c.get("value").split("\n")[0]
        for c in cells
        if c.get("vertex") and c.get("id") != "legend"
    }
    arrows = {
        (named[c.get("source")], named[c.get("target")]): int(
            c.get("value").split()[0].replace(",", "")
        )
        for c in cells
        if c.get("edge")
    }
    assert arrows == moves
    assert sorted(named.values()) == sorted({name for ends in moves for name in ends})


@pytest.mark.parametrize("level", ["touchpoint", "stage"])
def test_draw_io_is_an_mxfile(published: Path, tmp_path: Path, level: str) -> None:
    """Elements, attributes and their types are those that diagrams.net's schema of files knows, and nothing dangles."""
    (path,) = export(published, tmp_path, ["drawio"], project=PROJECT, level=level)
    file = ElementTree.fromstring(path.read_bytes())
    assert (file.tag, set(file.attrib)) == ("mxfile", {"host"})
    (diagram,) = file
    assert (diagram.tag, set(diagram.attrib)) == ("diagram", {"id", "name"})
    assert diagram.get("name") == PROJECT
    (model,) = diagram
    assert (model.tag, model.attrib) == (
        "mxGraphModel",
        {"grid": "1", "page": "0", "pageScale": "1"},
    )
    (root,) = model
    assert (root.tag, {cell.tag for cell in root}) == ("root", {"mxCell"})
    ground, layer, *cells = root
    assert (ground.attrib, layer.attrib) == ({"id": "0"}, {"id": "1", "parent": "0"})
    assert len({cell.get("id") for cell in root}) == len(root)
    boxes: dict[str | None, tuple[float, ...]] = {}
    for cell in cells:
        (geometry,) = cell
        assert (geometry.tag, geometry.get("as"), len(geometry)) == ("mxGeometry", "geometry", 0)
        assert re.fullmatch(r"(\w+=[\w.]+;)+", cell.get("style", ""))
        common = {"id", "parent", "value", "style"}
        if cell.get("vertex"):
            assert set(cell.attrib) == common | {"vertex"}
            assert set(geometry.attrib) == {"as", "x", "y", "width", "height"}
            x, y, width, height = (
                float(geometry.get(n, "")) for n in ("x", "y", "width", "height")
            )
            assert min(width, height) > 0
            boxes[cell.get("id")] = (x, y, x + width, y + height)
        else:
            assert set(cell.attrib) == common | {"edge", "source", "target"}
            assert geometry.attrib == {"relative": "1", "as": "geometry"}
        assert "1" in (cell.get("vertex"), cell.get("edge"))
        assert cell.get("parent") == "1"
    for cell in cells:
        if cell.get("edge"):
            assert {cell.get("source"), cell.get("target")} <= set(boxes)
    for one, other in combinations(boxes.values(), 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]


def test_lucidchart_lines_lead_between_shapes(
    files: dict[str, bytes], moves: dict[tuple[str, str], int]
) -> None:
    """Ids count from 1 by row, as the import wants; pages, shapes and lines fill the columns documented for each."""
    rows = list(csv.DictReader(io.StringIO(files["lucidchart"].decode())))
    filled = {
        "Page": {"Id", "Name", "Text Area 1"},
        "Line": {"Id", "Name", "Page ID", "Line Source", "Line Destination", "Source Arrow",
                 "Destination Arrow", "Text Area 1"},
    }  # fmt: skip
    shape = {"Id", "Name", "Shape Library", "Page ID", "Text Area 1"}
    for row in rows:
        assert {column for column, value in row.items() if value} == filled.get(row["Name"], shape)
        assert row["Page ID"] in ("", "1")
    assert [row["Name"] for row in rows].index("Page") == 0
    assert {row["Name"] for row in rows} == {"Page", "Process", "Terminator", "Line"}
    assert [row["Id"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    shapes = {r["Id"]: r["Text Area 1"].split("\n")[0] for r in rows if r["Shape Library"]}
    lines = [row for row in rows if row["Name"] == "Line"]
    assert {
        (shapes[r["Line Source"]], shapes[r["Line Destination"]]): int(
            r["Text Area 1"].split()[0].replace(",", "")
        )
        for r in lines
    } == moves


@pytest.mark.parametrize("name", ["mermaid-flowchart", "dot", "drawio", "lucidchart"])
def test_a_drawing_says_what_its_numbers_are(
    files: dict[str, bytes], published: Path, name: str
) -> None:
    """The legend stands in it; a box tells the map's own probability to convert; the ends say what they are."""
    with duckdb.connect(str(published), read_only=True) as con:
        visits, converts, ends_there = con.execute(
            "SELECT visits, conversion_p, probability FROM stages "
            "JOIN transitions USING (level, segment) WHERE level = 'touchpoint' AND segment = 'all' "
            "AND node = 'support_ticket' AND source_node = node AND target_node = 'CONVERSION'"
        ).fetchall()[0]
    assert abs(converts - ends_there) > 0.05  # two numbers that a reader might take for one
    text = files[name].decode()
    told = re.sub(r"<br/>|&#10;|\\n", "\n", text)
    for line in LEGEND:
        assert line in told
    assert f"support_ticket\n{visits:,} visits\n{converts:.1%} convert from here" in told
    assert "CONVERSION\nconverted journeys end" in told


def test_the_summary_is_what_the_database_says(files: dict[str, bytes], published: Path) -> None:
    """Findings, measures and personas, with their intervals."""
    told = json.loads(files["json"])
    assert (told["format"], told["project"]) == (1, PROJECT)
    with duckdb.connect(str(published), read_only=True) as con:
        findings = con.execute("SELECT rank, sentence, measured FROM pain_points").fetchall()
        rate = con.execute(
            "SELECT value, low, high, denominator FROM kpis WHERE measure = 'conversion_rate' "
            "AND period = 'all' AND segment = 'all'"
        ).fetchall()
    assert findings
    assert [(f["rank"], f["sentence"], f["measured"]) for f in told["findings"]] == sorted(findings)
    (found,) = [m for m in told["measures"] if m["measure"] == "conversion_rate"]
    assert tuple(found[key] for key in ("value", "low", "high", "denominator")) == rate[0]


def test_rare_moves_can_be_hidden_and_flow_is_conserved(published: Path, tmp_path: Path) -> None:
    """Arrivals equal departures at every node of what is left."""
    (path,) = export(
        published, tmp_path, ["graphml"], project=PROJECT, level="touchpoint", min_share=0.2
    )
    graph = nx.parse_graphml(path.read_text("utf-8"))
    for node, kind in graph.nodes(data="kind"):
        if kind == "node":
            arrived = sum(count for *_, count in graph.in_edges(node, data="count"))
            assert arrived == sum(count for *_, count in graph.out_edges(node, data="count"))
    assert "other" in graph


def test_an_unknown_level_or_an_empty_project_is_told(published: Path, tmp_path: Path) -> None:
    """What there is instead."""
    with pytest.raises(InputError, match="'step'; there are: stage, touchpoint"):
        list(export(published, tmp_path, ["dot"], project="p", level="step"))
    empty = publish_small_world(tmp_path, customers=0)
    with pytest.raises(InputError, match="it has no journey"):
        list(export(empty, tmp_path, ["svg"], project="p"))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t", "\r", "\n", " =1", "\uff1d1+1", "\uff0b1", "\uff201"],
)
def test_csv_is_no_formula(text: str) -> None:
    """A text that a spreadsheet would run gets an apostrophe; a negative number stays one."""
    header, row = csv.reader(io.StringIO(csv_text(["a", text], [[text, -1.5]]), newline=""))
    assert header == ["a", "'" + text]
    assert row == ["'" + text, "-1.5"]


@pytest.mark.parametrize("sign", [";", "\t", "\n", "\r\n"])
def test_csv_is_no_formula_wherever_it_is_cut(sign: str) -> None:
    """Excel cuts at semicolons where the comma is a decimal sign: no piece of a text is a formula; other text stays."""
    line = csv_text(["a"], [[f'x{sign}=HYPERLINK("http://x")'], ["a;b -c", "d, =e"]])
    assert not any(piece.strip(' "').startswith("=") for piece in re.split("[;\t\r\n]", line))
    assert line.splitlines()[-1] == 'a;b -c,"d, =e"'


@pytest.mark.engine
@pytest.mark.skipif(
    not (MERMAID / "node_modules" / "mermaid").exists(),
    reason="`make test-engine` installs Mermaid by npm, where there is one",
)
def test_mermaid_reads_both_diagrams(files: dict[str, bytes], tmp_path: Path) -> None:
    """Mermaid's own parser, with a project's name that holds its signs; a broken diagram fails."""
    for name in ("mermaid-journey", "mermaid-flowchart"):
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / "broken").write_text("journey\n    section a\n      nobody\n")
    script = Path(__file__).with_name("mermaid_parses.mjs")

    def parse(*names: str) -> subprocess.CompletedProcess[str]:
        paths = [str(tmp_path / name) for name in names]
        return subprocess.run(
            ["node", str(script), *paths],
            cwd=MERMAID, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = parse("mermaid-journey", "mermaid-flowchart")
    assert done.stdout.split() == ["journey", "flowchart-v2"], done.stderr
    assert parse("broken").returncode != 0
