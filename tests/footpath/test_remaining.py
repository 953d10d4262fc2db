"""What is left of a run: by its stages' own times if they ran before, else by what is typical."""

from __future__ import annotations

import pytest

from footpath.remaining import Remaining, durations

STAGES = ("ingest", "resolve", "graph", "publish")


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_stages_that_ran_before_take_what_they_took():
    """The rest of the stage that runs, and those to come; a stage that takes longer does not count below zero."""
    clock = Clock()
    run = Remaining(STAGES, {"ingest": 50, "resolve": 10, "graph": 20, "publish": 30}, clock)
    assert run.seconds() is None
    run.begin("ingest")
    assert run.seconds() == 110
    clock.now += 30
    assert run.seconds() == 80
    clock.now += 70
    assert run.seconds() == 60
    run.begin("resolve")
    assert run.seconds() == 60


def test_a_first_run_is_told_from_its_first_stage():
    """Nothing before that has ended; then others take twice as long if it took twice what is typical."""
    clock = Clock()
    run, alike = Remaining(STAGES, {}, clock), Remaining(STAGES, {}, clock)
    for one in (run, alike):
        one.begin("ingest")
        assert one.seconds() is None
    clock.now += 111
    alike.begin("resolve")
    typical = alike.seconds()
    assert typical is not None
    assert typical > 100
    clock.now += 111
    run.begin("resolve")
    assert run.seconds() == pytest.approx(2 * typical)


def test_durations_are_of_stages_that_did_something():
    """Stages with nothing new do not tell how long one takes."""
    log = [
        {"stage": "ingest", "duration_s": 90.0, "skipped": False},
        {"stage": "ingest", "duration_s": 5.0, "skipped": False},
        {"stage": "ingest", "duration_s": 0.1, "skipped": True},
    ]
    assert durations(log, whole=False) == {"ingest": 5.0}
    assert durations(log, whole=True) == {"ingest": 90.0}
    assert durations([], whole=True) == {}
