"""Drift of a source's fields, declared and raw, found by an ingest: told, refused, and kept for the next one."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

from contracts.errors import SchemaBroken
from models.drift import seen_so_far, vanished
from models.field_changes import field_changes, fields_so_far
from pipelines.job import Run

__all__ = ["find_drift"]

_LOG = logging.getLogger("footpath")
_TOLD = 10


def find_drift(run: Run, kept: set[str], counts: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare what `MapSlices` counted with what was counted before; facts of ingest.

    Parameters
    ----------
    kept : set of str
        Sources whose earlier records still count.

    Returns
    -------
    dict
        ``fields`` and ``raw_fields``: the counts, earlier ones included; ``drift``: by source that was compared, what
        changed, in words.

    Raises
    ------
    SchemaBroken
        If a required field has vanished.
    """
    facts = run.base.stages["ingest"].facts if "ingest" in run.base.stages else {}
    fields, raw = (
        {name: known for name, known in facts.get(of, {}).items() if name in kept}
        for of in ("fields", "raw_fields")
    )
    drift: dict[str, list[str]] = defaultdict(list)
    gone = list(vanished(fields, counts))
    if broken := [str(change) for change in gone if change.required]:
        raise SchemaBroken(
            "a field that is required has vanished, nothing was published:\n"
            + "\n".join(broken)
            + "\nmend the source's fields, or take the files away and have them delivered again"
        )
    for source in sorted({batch["source"] for batch in counts} & (set(fields) | set(raw))):
        drift[source] = [str(change) for change in gone if change.source == source]
    for change in field_changes(raw, counts):
        drift[change.source].append(str(change))
    for source, told in drift.items():
        for line in told[:_TOLD]:
            _LOG.warning("%s", line)
        if len(told) > _TOLD:
            more = len(told) - _TOLD
            _LOG.warning("sources.%s: %d more changes of fields: data_quality", source, more)
    return {
        "fields": seen_so_far(fields, counts),
        "raw_fields": fields_so_far(raw, counts),
        "drift": dict(drift),
    }
