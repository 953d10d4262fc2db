"""Small tables of records (dead letters, quarantine, consents), written again without some of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import DataFile
from pipelines.job import Run
from transforms.write_table import write_table

__all__ = ["without_records"]


def without_records(
    run: Run, files: Iterable[DataFile], gone: Callable[[str, pa.Table], np.ndarray]
) -> tuple[list[DataFile], list[tuple[str, pa.Table]]]:
    """Files of a small table, written again without some rows; these rows, with their source.

    Parameters
    ----------
    gone : callable
        Given a source and rows of it, which of them go: ndarray of bool.
    """
    kept, taken = [], []
    for file in files:
        source = str(file.partition["source"])
        rows = pq.read_table(run.lake.path(file), partitioning=None)
        leaves = gone(source, rows)
        if not leaves.any():
            kept.append(file)
            continue
        taken.append((source, rows.filter(pa.array(leaves))))
        if leaves.all():
            continue
        path = str(Path(file.path).with_name(f"{run.run_id}-{Path(file.path).name}"))
        rest = rows.filter(pa.array(~leaves))
        kept.append(
            replace(write_table(str(run.lake.root), path, rest, source=source), meta=file.meta)
        )
    return kept, taken
