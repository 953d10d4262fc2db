"""What a stage may take from the published version instead of computing it: only what is proven to be the same.

A stage may build on its former tables if these are what its present configuration makes of the tables that the
published version has (`goes_on_from_base`), and if nobody was erased since: then whatever an erased person touched
is made from nothing. How customers differ between the two versions is told by `sessionize`, in the lake's table
``changed_customers`` (`changed_customers`); that is for later stages of the same run.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from contracts.lake import DataFile, digest_of
from pipelines.job import Run, Stage

__all__ = ["changed_customers", "goes_on_from_base", "keep_changed", "published"]


def published(run: Run) -> Run:
    """The run, as if the published version were its draft."""
    return replace(run, draft=run.base)


def goes_on_from_base(run: Run, *stages: Stage) -> bool:
    """Whether the published tables of these stages are what they would make today of what they read then."""
    erased = (manifest.stages.get("erase") for manifest in (run.base, run.draft))
    if len({record.fingerprint if record else None for record in erased}) > 1:
        return False
    then = published(run)
    return all(
        stage.name in run.base.stages
        and all(table in run.base.tables for table in stage.reads)
        and run.base.stages[stage.name].fingerprint == stage.fingerprint(then)
        for stage in stages
    )


def keep_changed(run: Run, customers: np.ndarray, name: str) -> None:
    """Tell later stages whose touchpoints may be others than in the published version: ascending uint64."""
    path = f"tables/changed_customers/{name}.npy"
    (run.lake.root / path).parent.mkdir(parents=True, exist_ok=True)
    np.save(run.lake.root / path, customers)
    meta = {"since": _touchpoints(run)}
    run.draft.tables["changed_customers"] = [DataFile(path, len(customers), {}, meta)]


def changed_customers(run: Run) -> np.ndarray | None:
    """Those whose touchpoints may be others than the published ones, ascending uint64; None: it may be everybody."""
    if run.draft.names("touchpoints") == run.base.names("touchpoints"):
        return np.zeros(0, np.uint64)
    for file in run.draft.tables.get("changed_customers", []):
        if file.meta["since"] == _touchpoints(run):
            customers: np.ndarray = np.load(Path(run.lake.root, file.path))
            return customers
    return None


def _touchpoints(run: Run) -> str:
    """The published state of touchpoints."""
    return digest_of(run.base.names("touchpoints"))
