"""Mutated records are read and mapped without a crash, and each is accounted for (benchmarks/fuzz.py)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.fuzz import mutants, problem, write
from contracts.loading import preset_names

CORPUS = Path(__file__).parents[1] / "corpus"
"""Records that are worth keeping: one a line, in a file a preset."""


@pytest.mark.parametrize("name", preset_names())
def test_the_corpus_and_mutants_of_it_are_accounted_for(tmp_path: Path, name: str) -> None:
    """No record of the corpus, nor any of 200 mutants of it, crashes the reader or is lost."""
    records = (CORPUS / name).read_bytes().splitlines()
    made = records + mutants(records, 200, random.Random(7))
    found, went = problem(write(tmp_path / name, name, made), name)
    assert found == ""
    assert sum(went.values()) > 0


def test_a_lost_record_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping that loses what it can't read is told: the test can fail."""
    records = [b'{"type": "track"}', b"not json"]
    file = write(tmp_path / "segment", "segment", records)
    assert problem(file, "segment")[0] == ""
    from models import mapping

    whole = mapping._dead_letters
    monkeypatch.setattr(mapping, "_dead_letters", lambda *given: whole(*given).slice(1))
    assert "accounted for" in problem(file, "segment")[0]
