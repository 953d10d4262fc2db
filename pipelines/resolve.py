"""Resolve: the links of all files of events to `identities` and to a customer for every link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import DataFile, digest_of
from models.identity import resolve
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.kernel import Kernel
from transforms.sessionize import write_table

__all__ = ["STAGE"]

_TIME = pa.timestamp("us", tz="UTC")


def _fingerprint(run: Run) -> str:
    files = [
        file.path for file in run.draft.tables["events"]
    ]  # their order gives links their place
    return digest_of("resolve", 1, files, run.config.namespaces)


class _LinkFiles:
    """The links of all files, a column at a time: together they need several times the memory."""

    def __init__(self, root: str, paths: tuple[str, ...]) -> None:
        self._paths = [Path(root, path) for path in paths]
        self._rows = sum(pq.read_metadata(path).num_rows for path in self._paths)

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        type_ = {"events": pa.int64(), "first_seen": _TIME, "last_seen": _TIME}.get(
            name, pa.string()
        )
        chunks: list[pa.Array] = []
        for path in self._paths:
            file = pq.ParquetFile(path)
            column = (
                file.read([name], use_threads=False)[name].cast(type_).chunks
                if name in file.schema_arrow.names
                else [pa.nulls(file.metadata.num_rows, type_)]
            )
            chunks += column
        return pa.chunked_array(chunks, type_)


class _Resolve:
    """The kernel: all links at once; their number bounds the memory."""

    def __init__(self, root: str, namespaces: tuple[str, ...], name: str) -> None:
        self._root, self._namespaces, self._name = root, namespaces, name

    def __call__(self, paths: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        links = _LinkFiles(self._root, paths)
        resolution = resolve(links, self._namespaces)
        path = Path("tables", "link_customers", f"{self._name}.npy")
        target = Path(self._root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, resolution.link_customers)
        yield "link_customers", DataFile(str(path), len(links))
        file = f"tables/identities/{self._name}.parquet"
        yield "identities", write_table(self._root, file, resolution.identities)


def _execute(run: Run) -> dict[str, Any]:
    result = scratch_folder(run, "resolve") / "result.json"
    links = tuple(file.meta["links"] for file in run.draft.tables["events"])
    name = digest_of(run.run_id, "resolve")
    with run.pipeline() as pipeline:
        resolved = (
            pipeline
            | "Links" >> beam.Create([links])
            | "Resolve" >> Kernel(_Resolve(str(run.lake.root), run.config.namespaces, name))
        )
        collect((resolved,), result)
    results = read_results(result)
    for table in ("link_customers", "identities"):
        run.draft.tables[table] = data_files(results[table])
    return {"rows": sum(file.rows for file in run.draft.tables["identities"])}


STAGE = Stage("resolve", ("events",), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)
