"""What all jobs share: runners that lose data are refused, stages know when nothing has changed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions

from contracts.config import Config
from contracts.errors import ConfigError, LockHeld, StageOrderError, UnsupportedRunner
from contracts.lake import DataFile, Lake
from contracts.lock import locked
from pipelines.job import (
    Run,
    Stage,
    collect,
    data_files,
    main,
    options_for,
    read_results,
    run_stage,
)
from tests.spine import configure


def project(folder: Path) -> Config:
    return configure(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runner=DirectRunner"], "use FnApiRunner"),
        (["--runner=DaskRunner"], "drops branches"),
        (["--runner=RayRunner"], "does not work"),
        (["--direct_running_mode=multi_threading"], "use multi_processing"),
        (["--runner", "DirectRunner"], "use FnApiRunner"),
    ],
)
def test_runners_that_lose_data_are_refused(options: list[str], message: str):
    """With the reason, and what to use."""
    with pytest.raises(UnsupportedRunner, match=message):
        options_for(options)


def test_kernel_threads_follow_the_runner():
    """All cores in one process; one thread where there are many processes; or what was asked
    for.
    """
    assert options_for([])[1] >= 1
    assert options_for(["--kernel_threads=3"])[1] == 3
    processes = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    assert options_for(processes)[1] == 1
    assert options_for([])[0].get_all_options()["runner"] == "FnApiRunner"


def test_options_are_one_thing_however_they_are_looked_at():
    """A view is made once and shows what another sets; Beam's copy for a pipeline is a thing of its own."""
    options, _ = options_for(["--direct_num_workers=3"])
    view = options.view_as(DirectOptions)
    assert view is options.view_as(DirectOptions)
    copied = copy.deepcopy(options)
    copied.view_as(DirectOptions).direct_num_workers = 5
    assert copied.get_all_options()["direct_num_workers"] == 5
    assert view.direct_num_workers == options.get_all_options()["direct_num_workers"] == 3


@pytest.mark.parametrize(
    ("options", "dealt"),
    [
        ([], False),
        (["--kernel_threads=1"], False),
        (["--direct_running_mode=multi_processing", "--kernel_threads=2"], True),
        (["--runner=PortableRunner", "--job_endpoint=localhost:1"], True),
    ],
)
def test_work_is_dealt_out_where_there_are_others(tmp_path: Path, options: list[str], dealt: bool):
    """To other workers, however many threads each has; one process alone saves itself the trouble."""
    run = Run.begin(configure(tmp_path), options)
    pipeline = beam.Pipeline(runner="FnApiRunner", options=run.options)
    _ = pipeline | run.spread([1, 2])
    assert any("Reshuffle" in label for label in pipeline.applied_labels) == dealt


def test_results_come_back_by_kind_whatever_the_runner_did(tmp_path: Path):
    """Small values and files, sorted; nothing at all is nothing."""
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        files = pipeline | "F" >> beam.Create([("files", DataFile(n, 1, {"b": 2})) for n in "ba"])
        counts = pipeline | "C" >> beam.Create([("n", {"x": n}) for n in (2, 1)])
        collect((files, counts), tmp_path / "some")
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        collect((pipeline | beam.Create([]),), tmp_path / "none")
    results = read_results(tmp_path / "some")
    assert results["n"] == [{"x": 1}, {"x": 2}]
    assert data_files(results["files"]) == [DataFile("a", 1, {"b": 2}), DataFile("b", 1, {"b": 2})]
    assert read_results(tmp_path / "none") == {}


def test_a_stage_runs_only_when_what_it_depends_on_has_changed(tmp_path: Path):
    """Same fingerprint, nothing to do; a failed stage is not recorded as done."""
    ran: list[str] = []
    print_of = {"it": "one"}

    def execute(run: Run) -> dict[str, Any]:
        ran.append(print_of["it"])
        if print_of["it"] == "bad":
            raise RuntimeError
        return {"rows": 1}

    stage = Stage("s", (), lambda run: print_of["it"], execute)
    config = project(tmp_path)
    assert run_stage(Run.begin(config), stage)
    assert not run_stage(Run.begin(config), stage)
    print_of["it"] = "bad"
    with pytest.raises(RuntimeError):
        run_stage(Run.begin(config), stage)
    print_of["it"] = "one"
    assert not run_stage(Run.begin(config), stage)
    print_of["it"] = "two"
    run = Run.begin(config)
    assert run_stage(run, stage)
    assert ran == ["one", "bad", "two"]
    assert (run.log[0]["stage"], run.log[0]["rows"], run.log[0]["skipped"]) == ("s", 1, False)


def test_a_stage_without_its_input_says_which(tmp_path: Path):
    """And what to run first."""
    stage = Stage("late", ("events",), lambda run: "", lambda run: {})
    with pytest.raises(StageOrderError, match=r"'late' reads the table events"):
        run_stage(Run.begin(project(tmp_path)), stage)


def test_personal_identifiers_need_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty variable is an error that says how to set it; without personal identifiers none
    is needed.
    """
    monkeypatch.setenv("FOOTPATH_KEY", "")
    with pytest.raises(ConfigError, match="export FOOTPATH_KEY"):
        Run.begin(project(tmp_path)).pseudonymiser()
    source = {
        "format": "jsonl", "paths": "x", "channel": {"const": "web"},
        "identifiers": {"user_id": "$.u"},
        "fields": {"event_time": "$.t", "event_type": "$.e"},
    }  # fmt: skip
    rules = [{"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "*"}}]
    plain = configure(tmp_path, sources={"web": source}, touchpoints=rules)
    assert Run.begin(plain).pseudonymiser() is None


def test_a_job_started_alone_takes_the_lock(tmp_path: Path):
    """``python -m pipelines.<stage>`` writes the warehouse, so it refuses to start beside another writer."""
    config = configure(tmp_path)
    stage = Stage("s", (), lambda run: "one", lambda run: {})
    with locked(config.warehouse), pytest.raises(LockHeld):
        main(stage, ["--config", str(tmp_path / "footpath.yml")])
    main(stage, ["--config", str(tmp_path / "footpath.yml")])
    assert "s" in Lake(config.warehouse).draft().stages
