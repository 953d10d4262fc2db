"""What customers said about consent, for `sessionize`: statements of records, tied to customers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.sql_text import literal
from models.engine import query
from pipelines.job import Run

__all__ = ["write_consents"]


def write_consents(run: Run, path: Path) -> str | None:
    """Write the statements of all customers for workers to read (`models.consent`); None if there are none.

    A statement is that of the customer of its strongest identifier that has one.
    """
    said = [
        pq.read_table(file, partitioning=None) for file in run.lake.paths(run.draft, "consents")
    ]
    if not sum(map(len, said)):
        return None
    files = ", ".join(literal(str(file)) for file in run.lake.paths(run.draft, "identities"))
    namespaces = run.config.person_namespaces
    joins = "\n".join(
        f"LEFT JOIN known AS k{n} ON k{n}.namespace = {literal(name)} AND k{n}.value = said.id_{name}"
        for n, name in enumerate(namespaces)
    )
    customers = ", ".join(f"k{n}.customer" for n in range(len(namespaces)))
    found = query(
        f"""
        WITH known AS (
          SELECT namespace, value, ('0x' || customer_id)::UBIGINT AS customer
          FROM read_parquet([{files}], hive_partitioning = false) WHERE customer_id IS NOT NULL
        )
        SELECT DISTINCT coalesce({customers}) AS customer, stated_us, granted
        FROM said {joins} WHERE coalesce({customers}) IS NOT NULL
        """,
        said=pa.concat_tables(said),
    )
    np.savez(path, **{name: found[name].to_numpy() for name in found.column_names})
    return str(path)
