"""The command line: what a stranger types, what comes back, and with which exit code."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import jsonschema
import networkx
import pytest
import yaml

from footpath.demonstration import CONFIG
from footpath.generator import Scenario, generate
from tests.commands import footpath

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days of a small retailer in few files."""
    folder = tmp_path_factory.mktemp("raw")
    generate(folder / "data", Scenario(events=4_000, seed=11, days=4, file_days=2))
    return folder / "data"


@pytest.fixture(scope="module")
def project(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The retailer run through everything."""
    return run_everything(tmp_path_factory.mktemp("project"), raw, asking=True)


def run_everything(folder: Path, raw: Path, *arguments: str, asking: bool = False) -> Path:
    """A project of its own over the raw files, published; expectations are asked where they are new."""
    if not (folder / "data").exists():
        (folder / "data").symlink_to(raw)
    config = CONFIG + 'as_of: "2026-03-01T00:00:00Z"\n'
    (folder / "footpath.yml").write_text(config, encoding="utf-8")
    footpath("run", *arguments, cwd=folder, asking=asking)
    return folder


def digests(project: Path) -> str:
    return footpath("digest", cwd=project).stdout


def test_help_teaches(tmp_path: Path) -> None:
    """Help names the commands, where to start, and the exit codes."""
    shown = footpath("--help", cwd=tmp_path).stdout
    assert all(word in shown for word in ("init", "generate", "run", "check", "Exit codes"))


def imported(*arguments: str, cwd: Path) -> set[str]:
    """Modules that a command has loaded when it ends."""
    code = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    done = subprocess.run(
        [sys.executable, "-c", code + "from footpath.cli import main; main()", *arguments],
        cwd=cwd,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": "/usr/bin:/bin",
            "FOOTPATH_KEY": os.environ["FOOTPATH_KEY"],
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def test_a_command_loads_what_it_needs(project: Path) -> None:
    """Help loads no library of ours at all, a run with nothing new none that only the work needs: this is
    what keeps them at a quarter of a second and two seconds (docs/operations.md).
    """
    assert not {"apache_beam", "duckdb", "numpy", "pyarrow"} & imported("--help", cwd=project)
    models = {"networkx", "scipy.sparse", "scipy.stats", "sklearn"}
    assert not models & imported("run", cwd=project)


def test_starter_configuration_is_valid_and_never_replaced(tmp_path: Path) -> None:
    """The starter passes its own JSON Schema; a second init refuses to overwrite it."""
    footpath("init", cwd=tmp_path)
    schema = json.loads((tmp_path / "footpath.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "sources" in schema["required"]
    assert "is there already" in footpath("init", cwd=tmp_path, expect=4).stderr


def test_configuration_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Every mistake is listed with its place, the fix, and exit code 3."""
    document = {
        "project": "x",
        "sources": {"web": {"preset": "segmnt", "paths": "a"}},
        "session": {"gap": 30},
    }
    (tmp_path / "footpath.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    told = footpath("run", cwd=tmp_path, expect=3).stderr
    assert "did you mean 'segment'" in told
    assert "30 has no unit" in told


def test_a_wrong_sql_expression_is_a_configuration_mistake(tmp_path: Path, raw: Path) -> None:
    """DuckDB's complaint names the source and comes before any record is read."""
    (tmp_path / "data").symlink_to(raw)
    config = yaml.safe_load(CONFIG)
    config["sources"]["web"]["attributes"] = {"shop": {"sql": "no_such_function({$.type})"}}
    (tmp_path / "footpath.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    told = footpath("ingest", cwd=tmp_path, expect=3).stderr
    assert "sources.web" in told
    assert "no_such_function" in told


def test_missing_input_and_missing_stage_have_codes_of_their_own(tmp_path: Path, raw: Path) -> None:
    """A pattern that matches nothing ends with 4, a stage before its time with 7, a refused runner with 8."""
    (tmp_path / "footpath.yml").write_text(CONFIG, encoding="utf-8")
    assert "nothing matches" in footpath("ingest", cwd=tmp_path, expect=4).stderr
    (tmp_path / "data").symlink_to(raw)
    assert "reads the table" in footpath("graph", cwd=tmp_path, expect=7).stderr
    told = footpath("ingest", "--", "--runner=DaskRunner", cwd=tmp_path, expect=8).stderr
    assert "drops branches" in told
    assert "nothing is published" in footpath("query", "SELECT 1", cwd=tmp_path, expect=4).stderr


def test_an_identifier_that_matches_nothing_is_told(tmp_path: Path, raw: Path) -> None:
    """A mistyped path is named with how many records it missed and what it may have meant."""
    (tmp_path / "data").symlink_to(raw)
    config = CONFIG.replace("$.external_id", "$.externl_id")
    (tmp_path / "footpath.yml").write_text(config, encoding="utf-8")
    told = footpath("ingest", cwd=tmp_path).stderr
    assert "sources.support.identifiers.user_id: '$.externl_id' matched nothing" in told
    assert "$.external_id" in told


def test_a_source_of_which_nothing_is_read_is_told(tmp_path: Path, raw: Path) -> None:
    """Where every record is a dead letter, the query that shows why is named, and what there is."""
    (tmp_path / "data").symlink_to(raw)
    config = yaml.safe_load(CONFIG)
    config["sources"]["support"]["fields"] = {"event_time": "$.opened"}
    (tmp_path / "footpath.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    told = footpath("ingest", cwd=tmp_path).stderr
    assert "sources.support: all " in told
    assert "FROM dead_letters WHERE source = 'support'" in told
    assert "$.external_id" in told


def test_everything_runs_and_reconciles(project: Path) -> None:
    """After a run the database answers, all checks hold, and the report is one file."""
    checked = footpath("check", cwd=project).stdout
    assert "BROKEN" not in checked
    assert "checks of the published numbers hold" in checked
    current = project / "warehouse" / "current"
    with duckdb.connect(str(current / "footpath.duckdb"), read_only=True) as database:
        ((journeys,),) = database.sql("SELECT count(*) FROM journeys").fetchall()
    answer = footpath("query", "SELECT count(*) AS n FROM journeys", "--csv", cwd=project).stdout
    assert answer.split() == ["n", str(journeys)]
    assert journeys > 100
    for level in ("stage", "touchpoint"):
        graph = networkx.read_graphml(current / "graph" / f"{level}.graphml")
        assert graph.out_degree("START", weight="count") == journeys
    assert (current / "report" / "index.html").stat().st_size > 100_000
    assert "version 1" in footpath("status", cwd=project).stdout


def test_thirty_receipts_are_enough(tmp_path: Path) -> None:
    """A tiny feed runs through: too little for personas is an answer, not an error."""
    lines = [f"r{i},2026-01-{i % 28 + 1:02} 10:00:00,c{i % 9},{i}.50" for i in range(30)]
    (tmp_path / "r.csv").write_text("\n".join(["receipt,at,card,amount", *lines]) + "\n")
    document = {
        "project": "Tiny",
        "sources": {
            "store": {
                "paths": "r.csv",
                "format": "csv",
                "channel": {"const": "store"},
                "fields": {
                    "event_time": "at",
                    "event_type": {"const": "receipt"},
                    "transaction_id": "receipt",
                    "value": "amount",
                },
                "identifiers": {"customer_number": "card"},
            }
        },
        "touchpoints": [
            {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "receipt"}}
        ],
    }
    (tmp_path / "footpath.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    footpath("run", cwd=tmp_path)
    (tmp_path / "q.sql").write_text("-- who?\nSELECT persona_id, journeys FROM personas")
    answer = footpath("query", "--file", "q.sql", "--csv", cwd=tmp_path).stdout
    assert answer.split() == ["persona_id,journeys", "no_structure,9"]


def test_an_empty_feed_is_published_too(tmp_path: Path) -> None:
    """No records are no error: the database has every table, the report says that there is nothing."""
    (tmp_path / "r.jsonl").write_text("")
    source = {
        "paths": "r.jsonl",
        "format": "jsonl",
        "channel": {"const": "web"},
        "fields": {"event_time": "$.t", "event_type": "$.e"},
        "identifiers": {"user_id": "$.u"},
    }
    rule = {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "x"}}
    document = {"project": "Empty", "sources": {"web": source}, "touchpoints": [rule]}
    (tmp_path / "footpath.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert "No findings." in footpath("run", cwd=tmp_path).stdout
    assert "BROKEN" not in footpath("check", cwd=tmp_path).stdout


def test_second_run_changes_nothing(project: Path) -> None:
    """Nothing new: every stage is skipped, no version is added, the log is JSON for schedulers."""
    done = footpath("--log-format", "json", "run", cwd=project)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["message"].split(": ")[1] for line in lines} == {"nothing new"}
    assert all(stage["skipped"] for stage in json.loads(done.stdout)["stages"].values())
    assert [v.name for v in (project / "warehouse" / "versions").iterdir()] == ["000001"]


def test_order_of_files_and_lines_does_not_matter(project: Path, raw: Path, tmp_path: Path) -> None:
    """Lines shuffled within their file, files renamed into the reverse order: the same digests."""
    random_ = random.Random(3)
    for source in ("web", "email", "store", "support"):
        (tmp_path / "data" / source).mkdir(parents=True)
        files = sorted((raw / source).iterdir())
        for number, file in enumerate(reversed(files)):
            lines = file.read_bytes().splitlines(keepends=True)
            random_.shuffle(lines)
            (tmp_path / "data" / source / f"{number:03}.jsonl").write_bytes(b"".join(lines))
    assert digests(run_everything(tmp_path, raw)) == digests(project)


@pytest.mark.engine
def test_a_day_alone_is_read_by_its_date(project: Path, raw: Path, tmp_path: Path) -> None:
    """Days one after the other, the latest first, give what all days together give; the same day
    again does nothing, and a day without a file is an error that names it.
    """
    days = ("2026-01-02", "2026-01-01")
    for source in ("web", "email", "store", "support"):
        first, *later = sorted((raw / source).iterdir())
        (tmp_path / "data" / source).mkdir(parents=True)
        for day, files in zip(days, (later, [first]), strict=True):
            content = b"".join(file.read_bytes() for file in files)
            (tmp_path / "data" / source / f"{day}.jsonl").write_bytes(content)
    dated = re.sub(r"(data/\w+/)\*(.jsonl)", r'"\1{date}\2"', CONFIG)
    config = dated + 'as_of: "2026-03-01T00:00:00Z"\n'
    (tmp_path / "footpath.yml").write_text(config, encoding="utf-8")
    for number, day in enumerate(days, start=1):
        assert "1 of 1 files" in footpath("run", "--date", day, "--explain", cwd=tmp_path).stdout
        footpath("run", "--date", day, cwd=tmp_path)
        again = footpath("--log-format", "json", "run", "--date", day, cwd=tmp_path).stdout
        assert [json.loads(again)[name] for name in ("published", "version")] == [False, number]
    assert digests(tmp_path) == digests(project)
    told = footpath("ingest", "--date", "2026-02-01", cwd=tmp_path, expect=4).stderr
    assert "web/2026-02-01.jsonl" in told
    for kind in ("text", "json"):
        status = footpath("--log-format", kind, "status", cwd=tmp_path).stdout
        assert "publish" in status
    assert json.loads(status)["version"] == 2


@pytest.mark.engine
def test_number_of_threads_does_not_matter(project: Path, raw: Path, tmp_path: Path) -> None:
    """One kernel at a time gives the same digests as one a core."""
    other = run_everything(tmp_path, raw, "--", "--kernel_threads=1")
    assert digests(other) == digests(project)


@pytest.mark.engine
def test_worker_processes_do_not_matter(project: Path, raw: Path, tmp_path: Path) -> None:
    """Two worker processes give the same digests as one process."""
    other = run_everything(
        tmp_path, raw, "--", "--direct_running_mode=multi_processing", "--direct_num_workers=2"
    )
    assert digests(other) == digests(project)


def test_files_that_come_one_day_after_the_other(project: Path, raw: Path, tmp_path: Path) -> None:
    """Later files first, in two runs, give the same digests as one run over all."""
    for source in ("web", "email", "store", "support"):
        (tmp_path / "data" / source).mkdir(parents=True)
    files = sorted(file for file in raw.glob("*/*.jsonl"))
    for first in (True, False):
        for number, file in enumerate(files):
            if (number % 2 == 0) == first:
                shutil.copy(file, tmp_path / "data" / file.parent.name / file.name)
        run_everything(tmp_path, raw)
    assert digests(tmp_path) == digests(project)
    assert "version 2" in footpath("status", cwd=tmp_path).stdout
