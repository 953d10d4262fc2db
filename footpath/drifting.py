"""Drift of sources' fields (`pipelines.drift`) as rows of ``data_quality``."""

from __future__ import annotations

from contracts.lake import Manifest
from sql.check import CheckResult

__all__ = ["KIND", "drift_results"]

KIND = "drift"


def drift_results(manifest: Manifest) -> list[CheckResult]:
    """A result for every source of which the last ingest read records and had read some before."""
    found = manifest.stages["ingest"].facts.get("drift", {}) if "ingest" in manifest.stages else {}
    return [
        CheckResult(
            f"drift.{source}",
            f"New records of {source} have the fields that those before had.",
            len(told),
            tuple(told),
            kind=KIND,
            table=source,
            severity="warning",
        )
        for source, told in sorted(found.items())
    ]
