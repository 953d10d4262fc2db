"""``run --explain``: it foretells what a run then does, and touches nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.config import Config
from contracts.lake import Lake
from footpath.planning import WRITERS, StagePlan, explain, told
from footpath.running import STAGES, run_stages, stage_of
from pipelines.job import Run
from tests.spine import add_files, configure, expectations_not_asked, raw_files

pytestmark = pytest.mark.usefixtures("unasked")


def plan(config: Config) -> dict[str, StagePlan]:
    return {found.stage: found for found in explain(Run.begin(config))}


def actions(config: Config) -> dict[str, str]:
    return {name: found.action for name, found in plan(config).items()}


def ran(config: Config) -> dict[str, str]:
    """What a run really does with each stage."""
    return {
        entry["stage"]: "skipped" if entry["skipped"] else "ran"
        for entry in run_stages(config, STAGES, ()).log
    }


@pytest.fixture(scope="module")
def first_life(
    tmp_path_factory: pytest.TempPathFactory, retailer: Path
) -> tuple[Path, dict[str, str]]:
    """A project that has published half of its files, a stage at a time, and who set which table."""
    folder = tmp_path_factory.mktemp("planned")
    add_files(folder, raw_files(retailer)[::2])
    config = configure(folder)
    assert set(actions(config).values()) == {"runs", "follows"}
    assert not config.warehouse.exists(), "to explain writes nothing"
    writers: dict[str, str] = {}
    for name in STAGES:
        known = set(Lake(config.warehouse).draft().tables)
        with expectations_not_asked():
            run_stages(config, (name,), ())
        writers |= dict.fromkeys(set(Lake(config.warehouse).draft().tables) - known, name)
    return folder, writers


@pytest.fixture
def half(first_life: tuple[Path, dict[str, str]]) -> Path:
    return first_life[0]


def test_each_step_of_a_projects_life_is_foretold(half: Path, retailer: Path) -> None:
    """Nothing new; another setting of one stage; new files: what follows, runs, as foretold."""
    assert set(actions(configure(half)).values()) == {"skipped"}

    changed = configure(half, graph={"min_volume": 7})
    assert actions(changed) == dict.fromkeys(STAGES, "skipped") | {
        "graph": "runs",
        "publish": "follows",
    }
    assert {name for name, did in ran(changed).items() if did == "ran"} == {"graph", "publish"}

    files = raw_files(retailer)
    add_files(half, files[1::2])
    plans = plan(changed)
    assert [plans[name].action for name in STAGES] == ["runs", *["follows"] * 6]
    size = sum(file.stat().st_size for file in files[1::2])
    assert f"{len(files) // 2} of {len(files)} files" in plans["ingest"].why
    assert f"{size / 1000:.3g} KB" in plans["ingest"].why
    assert "2 buckets of the index" in plans["ingest"].details[0]
    before = {p: p.stat().st_mtime_ns for p in (half / "warehouse").rglob("*")}
    lines = "\n".join(told(Run.begin(changed), list(plans.values())))
    assert {p: p.stat().st_mtime_ns for p in (half / "warehouse").rglob("*")} == before
    assert "version 2 is published" in lines
    assert set(ran(changed).values()) == {"ran"}


def test_a_source_that_is_declared_anew_is_named(half: Path) -> None:
    """All its files are to be read again, and the plan says why."""
    sources: dict[str, Any] = {
        name: {"preset": preset, "paths": f"data/{name}/*"}
        for name, preset in {"email": "sendgrid", "store": "shopify", "support": "zendesk"}.items()
    }
    web = {"preset": "segment", "paths": "data/web/*", "timezone": "Europe/Berlin"}
    told_of = plan(configure(half, sources=sources | {"web": web}))["ingest"].details
    assert [line for line in told_of if "declaration changed" in line] == [
        line for line in told_of if line.startswith("web:")
    ]


def test_a_version_that_was_built_and_not_switched_to(
    tmp_path: Path, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill between the two there is nothing to build, yet something to publish."""
    (tmp_path / "data").symlink_to(half / "data")
    config = configure(tmp_path)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Lake, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            run_stages(config, STAGES, ())
    found = plan(config)["publish"]
    assert (found.action, "not yet switched to" in found.why) == ("runs", True)
    assert json.loads((config.warehouse / "run.json").read_text())["status"] == "failed"


def test_tables_have_the_writers_that_the_plan_names(
    first_life: tuple[Path, dict[str, str]],
) -> None:
    """Of every table that a stage reads, the plan knows the stage that set it."""
    reads = {table for name in STAGES for table in stage_of(name).reads}
    assert {table: first_life[1][table] for table in reads} == WRITERS
