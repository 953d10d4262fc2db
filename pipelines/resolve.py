"""Resolve: the links of all files of events to `identities` and to a customer for every link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import DataFile, digest_of
from contracts.schemas import table_schema
from models.dictionaries import DICTIONARY
from models.identity import resolve
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.kernel import Kernel
from transforms.parts import in_batches
from transforms.write_table import write_pieces

__all__ = ["STAGE"]

_BATCH_ROWS = 1 << 17
_IDENTITIES = pa.schema(
    [
        field.with_type(DICTIONARY) if field.name in ("namespace", "rule") else field
        for field in table_schema("identities")
    ]
)


def _fingerprint(run: Run) -> str:
    files = [
        file.path for file in run.draft.tables["events"]
    ]  # their order gives links their place
    return digest_of("resolve", 1, files, run.config.namespaces)


@dataclass(frozen=True)
class _LinkFiles:
    """Reads a column of the links of all files, some files at a time."""

    root: str
    paths: tuple[str, ...]

    def __call__(self, name: str) -> Iterator[pa.Array]:
        files = (self._read(name, path) for path in self.paths)
        for table in in_batches(files, _BATCH_ROWS):
            yield table[name].combine_chunks()

    def _read(self, name: str, path: str) -> pa.Table:
        file = pq.ParquetFile(Path(self.root, path))
        if name in file.schema_arrow.names:
            return file.read([name], use_threads=False)
        # of a namespace that was not declared when the file was written
        return pa.table({name: pa.nulls(file.metadata.num_rows, pa.string())})


@dataclass(frozen=True)
class _Resolve:
    """The kernel: all links at once; their number bounds the memory."""

    root: str
    namespaces: tuple[str, ...]
    name: str

    def __call__(self, paths: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        links = _LinkFiles(self.root, paths)
        resolution = resolve(links, self.namespaces)
        path = Path("tables", "link_customers", f"{self.name}.npy")
        target = Path(self.root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, resolution.link_customers)
        yield "link_customers", DataFile(str(path), len(resolution.link_customers))
        file = f"tables/identities/{self.name}.parquet"
        pieces = resolution.identities(links)
        yield "identities", write_pieces(self.root, file, _IDENTITIES, pieces)


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
