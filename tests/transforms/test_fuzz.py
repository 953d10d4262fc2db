"""Mutated records are read and mapped without a crash, and each is accounted for (benchmarks/fuzz.py)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.fuzz import configured, mapper, mutants, problem, write
from contracts.loading import preset_names
from transforms.map_slices import MapSlice

CORPUS = Path(__file__).parents[1] / "corpus"
"""Records that are worth keeping: one a line, in a file a preset."""


@pytest.mark.parametrize("name", preset_names())
def test_the_corpus_and_mutants_of_it_are_accounted_for(tmp_path: Path, name: str) -> None:
    """No record of the corpus, nor any of 200 mutants of it, crashes the reader or is lost."""
    records = (CORPUS / name).read_bytes().splitlines()
    made = records + mutants(records, 200, random.Random(7))
    file, kernel = tmp_path / name, reader(tmp_path, name)
    found, went = problem(write(file, name, made), kernel)
    assert found == ""
    assert went["records_read"] > 0


def test_a_lost_record_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping that loses what it can't read is told: the test can fail."""
    records = [b'{"type": "track"}', b"not json"]
    file = write(tmp_path / "segment", "segment", records)
    kernel = reader(tmp_path, "segment")
    assert problem(file, kernel)[0] == ""
    from models import mapping

    whole = mapping._dead_letters
    monkeypatch.setattr(mapping, "_dead_letters", lambda *given: whole(*given).slice(1))
    assert "accounted for" in problem(file, kernel)[0]
    monkeypatch.undo()
    monkeypatch.setattr("transforms.map_slices.spill", lambda *given, **named: [])
    assert "rows of dead were left" in problem(file, kernel)[0]


def reader(folder: Path, name: str) -> MapSlice:
    """Ingest's kernel for the file of that name."""
    spills = folder / "spills"
    spills.mkdir(exist_ok=True)
    return mapper(configured(name, folder / name), spills)
