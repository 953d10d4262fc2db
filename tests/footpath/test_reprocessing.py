"""``footpath reprocess`` says what it would read, what became of it, and which sources there are."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from contracts.errors import InputError
from footpath.planning import explain
from footpath.reprocessing import ordered, outcome
from pipelines.job import Reprocess, Run
from tests.pipelines.test_increments import project
from tests.pipelines.test_reprocess import RENAMED, days_of_a_renamed_field, reprocess
from tests.spine import publish


def test_an_order_is_explained_before_and_accounted_for_after(tmp_path: Path) -> None:
    """The files that would be read, of how many; then the source's records before and now."""
    days_of_a_renamed_field(tmp_path)
    publish(project(tmp_path, web={}, shop={}))
    mended = project(tmp_path, web=RENAMED, shop={})
    order = ordered(mended, "web", date(2025, 5, 3))
    assert order == Reprocess("web", date(2025, 5, 3))
    plan, *_ = explain(Run.begin(mended, reprocess=order))
    assert plan.why.startswith("2 of 5 files are to be read")
    assert plan.details[1:] == (
        "web: 2 of 4 files, 2 of them again: they hold what the order names",
        "shop: 0 of 1 files",
    )
    done = reprocess(mended, "2025-05-03")
    assert list(outcome(done, "web")) == [
        "2 files were read again",
        "web:           24 records read before, 24 now",
        "web:           11 events before, 21 now",
        "web:            1 duplicates before, 3 now",
        "web:           12 dead letters before, 0 now",
    ]


def test_a_source_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    """Before anything is read."""
    with pytest.raises(InputError, match="no source 'wob'; there are: web, shop"):
        ordered(project(tmp_path, web={}, shop={}), "wob", date(2025, 5, 3))
