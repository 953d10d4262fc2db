"""Journeys: the touchpoints of each bucket summarised to `journeys`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq

from contracts.lake import DataFile, digest_of
from models.journeys import summarise_journeys
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.kernel import Kernel
from transforms.write_table import write_table

__all__ = ["STAGE"]

_TEXTS = ("customer_id", "session_id", "journey_id", "channel", "touchpoint", "stage")
_COLUMNS = (*_TEXTS, "event_time", "step", "converts", "value")


def _fingerprint(run: Run) -> str:
    return digest_of("journeys", 1, run.draft.names("touchpoints"), run.config.attributes)


class _Summarise:
    def __init__(self, root: str, attributes: tuple[str, ...], name: str) -> None:
        self._root, self._attributes, self._name = root, attributes, name

    def __call__(self, file: DataFile) -> Iterator[tuple[str, DataFile]]:
        touchpoints = pq.read_table(
            Path(self._root, file.path),
            columns=[*_COLUMNS, *self._attributes],
            partitioning=None,
            read_dictionary=[*_TEXTS, *self._attributes],
            use_threads=False,
        )
        journeys = summarise_journeys(
            touchpoints.unify_dictionaries().combine_chunks(), self._attributes
        )
        bucket = file.partition["bucket"]
        path = f"tables/journeys/bucket={bucket:04d}/{self._name}.parquet"
        yield "journeys", write_table(self._root, path, journeys, bucket=bucket)


def _execute(run: Run) -> dict[str, Any]:
    result = scratch_folder(run, "journeys") / "result.json"
    kernel = _Summarise(
        str(run.lake.root), run.config.attributes, digest_of(run.run_id, "journeys")
    )
    with run.pipeline() as pipeline:
        written = (
            pipeline
            | "Touchpoints" >> beam.Create(run.draft.tables["touchpoints"])
            | "Summarise" >> Kernel(kernel, run.kernel_threads)
        )
        collect((written,), result)
    run.draft.tables["journeys"] = data_files(read_results(result).get("journeys", []))
    return {"rows": sum(file.rows for file in run.draft.tables["journeys"])}


STAGE = Stage("journeys", ("touchpoints",), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
