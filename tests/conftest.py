"""What tests share: a key for pseudonyms, and a small generated retailer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from footpath.generator import Scenario, generate

if TYPE_CHECKING:
    from pipelines.job import Run

os.environ["FOOTPATH_KEY"] = "a key for tests only"
settings.register_profile("shared machines", deadline=None, print_blob=True)
settings.load_profile("shared machines")


@pytest.fixture(scope="session")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of four sources and ``truth/``: about 1,500 events of four days, in two or three files each.

    Few days and files, because each costs more than what is in it; many flaws, because flaws are
    what is tested.
    """
    folder = tmp_path_factory.mktemp("retailer")
    flaws = {
        "duplicate_share": 0.05,
        "malformed_share": 0.02,
        "future_share": 0.01,
        "late_share": 0.03,
    }
    generate(folder, Scenario(events=1_500, seed=5, days=4, file_days=2, **flaws))
    return folder


@pytest.fixture
def unasked() -> Iterator[None]:
    """Great Expectations is not asked in the test."""
    from tests.spine import expectations_not_asked

    with expectations_not_asked():
        yield


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, retailer: Path) -> Run:
    """All files of the retailer in one run: what every other way of running must equal."""
    from tests.spine import add_files, configure, publish, raw_files

    folder = tmp_path_factory.mktemp("whole")
    add_files(folder, raw_files(retailer))
    return publish(configure(folder))
