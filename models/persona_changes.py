"""What became of the personas from one published version to the next.

Personas are born, drift, are renamed, die or merge into another, and customers migrate between
them. The rows of `persona_changes` say so, for people who follow a persona over months; they tell
of runs, not of customers, and stay out of the digest.

A persona that is gone has *merged* if more than half of its customers who have a persona now are of
one and the same; otherwise it died.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.schemas import table_schema
from models.engine import query
from models.personas import NO_STRUCTURE, UNDETERMINED

__all__ = ["persona_changes"]

DRIFTED = 0.15
"""A distance from its former self beyond which a persona is said to have drifted."""

_MIGRATION = f"""
SELECT was.persona_id AS before, now.persona_id AS after, count(*)::BIGINT AS customers
FROM was JOIN now USING (customer_id)
WHERE was.persona_id NOT IN ('{UNDETERMINED}', '{NO_STRUCTURE}')
  AND now.persona_id NOT IN ('{UNDETERMINED}', '{NO_STRUCTURE}')
GROUP BY ALL ORDER BY before, after
"""


def persona_changes(
    run_id: str,
    before: pa.Table | None,
    after: pa.Table,
    was: pa.Table | None,
    now: pa.Table,
    distances: Mapping[str, float],
) -> pa.Table:
    """Compare two versions.

    Parameters
    ----------
    run_id : str
        The run that compares.
    before, after : pa.Table
        `personas` as published, None before the first publication, and as found.
    was, now : pa.Table
        `customer_personas` of both.
    distances : mapping of persona id to float
        How far each persona is from its former self; NaN for a new one.

    Returns
    -------
    pa.Table
        Rows of `persona_changes`; nothing for a persona that stayed as it was.
    """
    old = _by_id(before) if before is not None else {}
    new = _by_id(after)
    moves = query(_MIGRATION, was=was, now=now).to_pylist() if was is not None else []
    rows: list[dict[str, Any]] = []

    def tell(change: str, persona: str, words: str, other: str = "", customers: int = 0) -> None:
        earlier, later = old.get(persona), new.get(persona)
        told = later or earlier or {}
        distance = distances.get(persona, np.nan)
        rows.append(
            {
                "run_id": run_id,
                "change": change,
                "persona_id": persona,
                "other_id": other,
                "distance": None if np.isnan(distance) else distance,
                "customers": customers or told["customers"],
                "share_before": earlier and earlier["share"],
                "share_after": later and later["share"],
                "sentence": f"{persona} '{told['name']}' {words}",
            }
        )

    for persona, row in new.items():
        if persona not in old:
            tell("born", persona, f"is new, {row['share']:.0%} of all customers.")
            continue
        if distances.get(persona, 0.0) > DRIFTED:
            tell("drifted", persona, f"behaves differently (distance {distances[persona]:.2f}).")
        if row["name"] != old[persona]["name"]:
            tell("renamed", persona, f"was called '{old[persona]['name']}'.")
    for persona in old.keys() - new.keys():
        left = {m["after"]: m["customers"] for m in moves if m["before"] == persona}
        heir = max(left, key=lambda name: (left[name], name), default="")
        if heir and left[heir] * 2 > sum(left.values()):
            share = left[heir] / sum(left.values())
            words = f"is gone; {share:.0%} of its customers are now {heir}."
            tell("merged", persona, words, heir, left[heir])
        else:
            tell("died", persona, "is gone.")
    for move in moves:
        if move["before"] != move["after"] and move["before"] in new:
            words = f"lost {move['customers']:,} customers to {move['after']}."
            tell("migrated", move["before"], words, move["after"], move["customers"])
    rows.sort(key=lambda row: (row["change"], row["persona_id"], row["other_id"]))
    return pa.Table.from_pylist(rows, schema=table_schema("persona_changes"))


def _by_id(personas: pa.Table) -> dict[str, dict[str, Any]]:
    return {
        row["persona_id"]: row for row in personas.to_pylist() if row["persona_id"] != NO_STRUCTURE
    }
