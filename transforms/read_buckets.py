"""Buckets of the lake read for kernels: text dictionary-encoded, no reader threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.lake import Manifest
from models.dictionaries import in_one_chunk
from models.hexadecimal import hex_text
from models.journeys import outcomes

__all__ = ["Bucket", "buckets_of", "read_bucket", "read_bucket_of", "read_journeys", "rows_of"]


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


def read_bucket(
    root: str, path: str, columns: Sequence[str], plain: Sequence[str] = ()
) -> pa.Table:
    """Columns of a file of the lake, text but for `plain` dictionary-encoded, in one chunk."""
    file = Path(root, path)
    schema = pq.read_schema(file)
    texts = [n for n in columns if n not in plain and schema.field(n).type == pa.string()]
    table = pq.read_table(
        file, columns=list(columns), partitioning=None, read_dictionary=texts, use_threads=False
    )
    return in_one_chunk(table)


def read_bucket_of(
    root: str, path: str, columns: Sequence[str], customers: np.ndarray | None
) -> pa.Table:
    """Columns of a file of the lake, of some customers (ascending uint64) or, if None, of all."""
    if customers is None:
        return read_bucket(root, path, columns)
    table = read_bucket(root, path, list(dict.fromkeys([*columns, "customer_id"])))
    rows, _ = rows_of(table, customers)
    return table.select(list(columns)).take(pa.array(rows))


def rows_of(table: pa.Table, customers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of some customers (ascending uint64), and whose each is; `customer_id` is dictionary-encoded."""
    ids = table["customer_id"].combine_chunks()
    place = pc.index_in(ids.dictionary, value_set=hex_text(customers))
    place = pc.fill_null(place, -1).to_numpy(zero_copy_only=False)
    of_row = place[ids.indices.to_numpy()] if len(place) else np.zeros(0, np.int32)
    rows = np.flatnonzero(of_row >= 0)
    return rows, customers[of_row[rows]]


def read_journeys(
    root: str,
    bucket: Bucket,
    columns: Sequence[str],
    watermark: datetime,
    gap: timedelta,
    customers: np.ndarray | None = None,
) -> pa.Table:
    """Columns of a bucket's journeys, of some customers or all, and their `outcome` as of the watermark."""
    wanted = list(dict.fromkeys([*columns, "converted", "ended_at"]))
    journeys = read_bucket_of(root, bucket.journeys, wanted, customers)
    return journeys.append_column("outcome", outcomes(journeys, watermark, gap))
