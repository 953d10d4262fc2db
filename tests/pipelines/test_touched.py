"""Runs that compute touched customers only, against one run over the same files, table by table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.config import Config
from footpath import publication
from pipelines.increments import changed_customers
from pipelines.job import Run, run_stage
from sql import revision
from sql.digest import digest
from tests.databases import rows_that_left
from tests.spine import STAGES, difference, rows, start
from tests.worlds import World, configured, give


def publish(config: Config) -> Run:
    """Run the stages and make the draft the current version."""
    run = start(config)
    run.lake.publish(run.draft)
    return run


def test_any_split_of_a_hard_world_gives_the_tables_of_one_run(tmp_path: Path):
    """Merges, splits, shared tablets, better copies, receipts and consent: reused or not, the rows are the same."""
    world = World(0, files=9)
    give_to = configured(tmp_path / "one")
    give(tmp_path / "one", world.files)
    one = publish(give_to)
    config = configured(tmp_path / "many")
    reused = []
    for delivery in world.runs(3):
        give(tmp_path / "many", delivery)
        many = start(config)
        reused.append(changed_customers(many))
        many.lake.publish(many.draft)
    assert reused[0] is None
    assert all(found is not None for found in reused[1:]), "an increment computed everything"
    assert difference(one, many) == {}


def test_a_bucket_without_a_touched_customer_keeps_its_files(tmp_path: Path):
    """Files of touchpoints, sessions and journeys are written again only where somebody is touched."""
    config = configured(tmp_path, lake={"buckets": 64})
    world = World(2, events=80)
    give(tmp_path, world.files)
    first = publish(config)
    event = {"id": "new", "t": "2025-05-09T00:00:00Z", "e": "page", "u": "u1"}
    give(tmp_path, [("web/new.jsonl", [event])])
    second = start(config)
    changed = changed_customers(second)
    assert changed is not None
    for table in ("touchpoints", "sessions", "journeys"):
        before, now = (set(run.draft.names(table)) for run in (first, second))
        assert 0 < len(now - before) <= 2 < len(now & before), table
    assert len(np.unique(changed)) <= 2


@pytest.mark.usefixtures("unasked")
def test_graph_and_database_made_by_difference_are_those_of_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Old counts, less the old ones of those to whom something happened, plus their new ones, give the graph's tables;
    and old rows, less theirs, plus their new ones, give the database, however many they are.
    """
    monkeypatch.setattr(revision, "_MOST", 0)
    stages = (*STAGES, "graph")
    graph = {"segments": ["entry_channel", "week"], "min_volume": 2, "history": "24h"}
    world = World(1, events=200)
    config = configured(tmp_path / "one", graph=graph)
    give(tmp_path / "one", world.files)
    one = start(config, stages=stages)
    run_stage(one, publication.STAGE)
    config = configured(tmp_path / "many", graph=graph)
    left = []
    for delivery in world.runs(2):
        give(tmp_path / "many", delivery)
        many = start(config, stages=stages)
        run_stage(many, publication.STAGE)
        left.append(rows_that_left(many.lake.draft_folder / publication.DATABASE))
        many.lake.publish(many.draft)
    assert difference(one, many) == {}
    for name in ("stages", "transitions", "attribution", "pain_points", "segment_differences"):
        assert rows(one, name) == rows(many, name), name
    assert left[0] == {}
    assert "touchpoints" in left[-1]
    one.lake.publish(one.draft)
    of_one, of_many = (digest(run.lake.current / publication.DATABASE) for run in (one, many))
    assert of_many == of_one
