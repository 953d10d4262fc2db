"""Journeys: the touchpoints of each bucket summarised to `journeys`.

Journeys of customers whose touchpoints are the published ones are taken from there (docs/adr/0009).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.lake import DataFile, digest_of
from contracts.schemas import table_schema
from models.event_keys import bucket_of
from models.journeys import summarise_journeys
from pipelines.increments import changed_customers, goes_on_from_base
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.kernel import Kernel
from transforms.read_buckets import read_bucket, rows_of
from transforms.sessionize import merge_customers
from transforms.write_table import write_table

__all__ = ["STAGE"]

_TEXTS = ("customer_id", "session_id", "journey_id", "channel", "touchpoint", "stage")
_COLUMNS = (*_TEXTS, "event_time", "step", "converts", "value")


def _fingerprint(run: Run) -> str:
    return digest_of("journeys", 1, run.draft.names("touchpoints"), run.config.attributes)


@dataclass(frozen=True)
class _Old:
    """A bucket's journeys as they were, and whose are not the same now (ascending uint64)."""

    journeys: DataFile
    changed: np.ndarray


@dataclass(frozen=True)
class _Summarise:
    root: str
    attributes: tuple[str, ...]
    name: str

    def __call__(self, element: tuple[DataFile, _Old | None]) -> Iterator[tuple[str, DataFile]]:
        file, old = element
        columns = [*_COLUMNS, *self.attributes]
        touchpoints = read_bucket(self.root, file.path, columns)
        if old is not None:
            rows, _ = rows_of(touchpoints, old.changed)
            touchpoints = touchpoints.take(pa.array(rows))
        journeys = summarise_journeys(touchpoints, self.attributes) if len(touchpoints) else None
        if old is not None:
            names = table_schema("journeys", attributes=self.attributes).names
            kept = read_bucket(self.root, old.journeys.path, names, plain=("path",))
            journeys = merge_customers(kept, journeys, old.changed)
        bucket = file.partition["bucket"]
        path = f"tables/journeys/bucket={bucket:04d}/{self.name}.parquet"
        yield "journeys", write_table(self.root, path, journeys, bucket=bucket)


def _old(run: Run) -> dict[str | int, _Old]:
    """By bucket what can be gone on from."""
    changed = changed_customers(run) if goes_on_from_base(run, STAGE) else None
    if changed is None:
        return {}
    buckets = run.draft.stages["sessionize"].facts.get("buckets", 1)
    of = bucket_of(changed, buckets)
    return {
        file.partition["bucket"]: _Old(file, changed[of == file.partition["bucket"]])
        for file in run.base.tables["journeys"]
    }


def _execute(run: Run) -> dict[str, Any]:
    result = scratch_folder(run, "journeys") / "result.json"
    kernel = _Summarise(
        str(run.lake.root), run.config.attributes, digest_of(run.run_id, "journeys")
    )
    old = _old(run)
    published = set(run.base.names("touchpoints"))
    work, stays = [], []
    for file in run.draft.tables["touchpoints"]:
        known = old.get(file.partition["bucket"])
        if known is not None and file.path in published:
            stays.append(known.journeys)
        else:
            work.append((file, known))
    with run.pipeline() as pipeline:
        written = (
            pipeline
            | "Touchpoints" >> run.spread(work)
            | "Summarise" >> Kernel(kernel, run.kernel_threads)
        )
        collect((written,), result)
    files = [*stays, *data_files(read_results(result).get("journeys", []))]
    run.draft.tables["journeys"] = sorted(files, key=lambda file: file.path)
    return {"rows": sum(file.rows for file in run.draft.tables["journeys"])}


STAGE = Stage("journeys", ("touchpoints",), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
