"""Buckets of the lake read for kernels: text dictionary-encoded, no reader threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.lake import Manifest
from models.journeys import outcomes

__all__ = ["Bucket", "buckets_of", "read_bucket", "read_journeys"]


@dataclass(frozen=True)
class Bucket:
    """The files of one bucket of customers."""

    number: int
    touchpoints: str
    journeys: str
    personas: str | None = None


def buckets_of(manifest: Manifest) -> list[Bucket]:
    """The buckets that hold touchpoints."""
    journeys, personas = (
        {file.partition["bucket"]: file.path for file in manifest.tables.get(table, [])}
        for table in ("journeys", "journey_personas")
    )
    numbers = ((file.partition["bucket"], file.path) for file in manifest.tables["touchpoints"])
    return [
        Bucket(int(number), path, journeys[number], personas.get(number))
        for number, path in numbers
    ]


def read_bucket(root: str, path: str, columns: Sequence[str]) -> pa.Table:
    """Columns of a file of the lake, text dictionary-encoded, in one chunk."""
    file = Path(root, path)
    schema = pq.read_schema(file)
    texts = [name for name in columns if schema.field(name).type == pa.string()]
    table = pq.read_table(
        file, columns=list(columns), partitioning=None, read_dictionary=texts, use_threads=False
    )
    return table.unify_dictionaries().combine_chunks()


def read_journeys(
    root: str, bucket: Bucket, columns: Sequence[str], watermark: datetime, gap: timedelta
) -> pa.Table:
    """Columns of a bucket's journeys, and their `outcome` as of the watermark."""
    wanted = list(dict.fromkeys([*columns, "converted", "ended_at"]))
    journeys = read_bucket(root, bucket.journeys, wanted)
    return journeys.append_column("outcome", outcomes(journeys, watermark, gap))
