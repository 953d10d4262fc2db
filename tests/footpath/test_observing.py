"""What monitors read of a run: a summary, metrics that a parser accepts, and rows in `runs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from contracts.config import Config
from contracts.errors import CheckFailed
from footpath import publication
from footpath.running import STAGES, run_stages
from tests.spine import add_files, configure, expectations_not_asked, raw_files

pytestmark = pytest.mark.usefixtures("unasked")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> Config:
    """Published by one run; then a file comes again, ingested by one process, published by another."""
    folder = tmp_path_factory.mktemp("observed")
    files = raw_files(retailer)
    add_files(folder, files)
    config = configure(folder)
    with expectations_not_asked():
        run_stages(config, STAGES, ())
        add_files(folder, files[:1], rename="again-")
        run_stages(config, STAGES[:1], ())
        run_stages(config, STAGES[1:], ())
    return config


def ask(config: Config, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(config.warehouse / "current" / "footpath.duckdb")) as database:
        return database.sql(sql).fetchall()


def told(config: Config) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((config.warehouse / "run.json").read_text("utf-8"))
    return document


def metrics(config: Config) -> dict[tuple[str, str], float]:
    """Samples by name and first label, as a parser of the format finds them."""
    text = (config.warehouse / "metrics.prom").read_text("utf-8")
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_summary_joins_stages_of_several_processes(project: Config) -> None:
    """The last process names what it ran; what the one before it did stays."""
    document = told(project)
    assert (document["status"], document["exit_code"], document["version"]) == ("done", 0, 2)
    assert document["ran"] == list(STAGES[1:])
    assert list(document["stages"]) == list(STAGES)
    assert len({entry["run_id"] for entry in document["stages"].values()}) == 2
    assert all(entry["peak_memory_mb"] > 10 for entry in document["stages"].values())
    assert document["stages"]["ingest"]["bytes"] > 1_000


def test_every_stage_enters_runs_once(project: Config) -> None:
    """Stages of all processes since the last publication, and that publication itself."""
    rows = ask(project, "SELECT stage, skipped, bytes > 0 FROM runs ORDER BY started_at")
    assert [row[0] for row in rows] == [*STAGES, *STAGES[:-1]]
    assert [row[1] for row in rows] == [False] * 8 + [True] * 5
    assert [row[2] for row in rows] == [True] * 8 + [False] * 5


def test_counters_of_beam_agree_with_the_ledger(project: Config) -> None:
    """What the workers counted is what the accounting says."""
    names = ("records_read", "accepted", "dead_letters", "quarantined", "withheld")
    counted = ", ".join(f"counters['{name}']" for name in (*names, "bytes_read", "files_read"))
    (counters,) = ask(
        project, f"SELECT {counted} FROM runs WHERE stage = 'ingest' ORDER BY started_at LIMIT 1"
    )
    (ledger,) = ask(
        project,
        "SELECT sum(records_read), sum(events + duplicates), sum(dead_letters), sum(quarantined), "
        "sum(withheld), sum(bytes), count(*) FROM ingest_ledger WHERE path NOT LIKE '%again-%'",
    )
    assert counters == ledger
    assert min(counters) > 0


def test_metrics_are_open_metrics(project: Config) -> None:
    """A parser of the format reads them; numbers are those of the summary."""
    found, document = metrics(project), told(project)
    assert found["footpath_published_version", ""] == 2
    assert found["footpath_run_exit_code", ""] == 0
    for name, entry in document["stages"].items():
        assert found["footpath_stage_rows", name] == entry["rows"]
        assert found["footpath_stage_duration_seconds", name] == entry["duration_s"]
    for name, rows in document["tables"].items():
        assert found["footpath_table_rows", name] == rows


def test_a_failure_is_told(tmp_path: Path, retailer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which stage, why, and with which exit code; other stages keep what they did. An unforeseen
    error tells its kind alone: its words may quote a record.
    """
    add_files(tmp_path, raw_files(retailer))
    config = configure(tmp_path)

    def broken(*_: Any) -> None:
        raise CheckFailed("flow_conserved: 1 row")

    with monkeypatch.context() as patched:
        patched.setattr(publication, "_refuse_broken", broken)
        with pytest.raises(CheckFailed):
            run_stages(config, STAGES, ())
    document = told(config)
    assert (document["status"], document["exit_code"]) == ("failed", 5)
    assert document["error"] == "flow_conserved: 1 row"
    assert document["version"] == 0
    assert "error" not in document["stages"]["graph"]
    assert metrics(config)["footpath_stage_failed", "publish"] == 1

    def quoting(*_: Any) -> None:
        raise ValueError("cannot read ada@example.com")

    monkeypatch.setattr(publication, "_refuse_broken", quoting)
    with pytest.raises(ValueError, match="ada@"):
        run_stages(config, ("publish",), ())
    assert (told(config)["error"], told(config)["exit_code"]) == ("ValueError", 1)
    assert "ada@" not in (config.warehouse / "run.json").read_text("utf-8")
