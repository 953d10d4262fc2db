"""What became of the personas is told, each change once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from contracts.schemas import table_schema
from models.persona_changes import persona_changes


def personas(**names: str) -> pa.Table:
    rows = [
        {"persona_id": persona, "name": name, "customers": 10, "share": 0.5}
        for persona, name in names.items()
    ]
    return pa.Table.from_pylist(rows, schema=table_schema("personas"))


def members(*ids: str) -> pa.Table:
    rows = [{"customer_id": f"c{i}", "persona_id": persona} for i, persona in enumerate(ids)]
    return pa.Table.from_pylist(rows, schema=table_schema("customer_personas"))


def test_births_deaths_mergers_drift_names_and_migrations():
    """p1 drifted and lost one to p4, p2 merged into p1, p3 died, p4 is new, p5 has a new name."""
    changes = persona_changes(
        "run2",
        personas(p1="One", p2="Two", p3="Three", p5="Five"),
        personas(p1="One", p4="Four", p5="Fünf"),
        members("p1", "p1", "p2", "p2", "p2", "p3", "p3", "p5", "undetermined"),
        members("p1", "p4", "p1", "p1", "p4", "p1", "p4", "p5", "p1"),
        {"p1": 0.2, "p4": np.nan, "p5": 0.01},
    )
    assert changes.schema == table_schema("persona_changes")
    told = [
        (r["change"], r["persona_id"], r["other_id"], r["customers"]) for r in changes.to_pylist()
    ]
    assert told == [
        ("born", "p4", "", 10),
        ("died", "p3", "", 10),
        ("drifted", "p1", "", 10),
        ("merged", "p2", "p1", 2),
        ("migrated", "p1", "p4", 1),
        ("renamed", "p5", "", 10),
    ]


def test_nothing_is_told_where_nothing_changed():
    """A persona that stayed as it was has no row."""
    same = personas(p1="One"), personas(p1="One")
    assert len(persona_changes("r", *same, members("p1"), members("p1"), {"p1": 0.05})) == 0


def test_before_the_first_publication_all_are_born():
    """And no structure is nobody's birth."""
    assert persona_changes("r", None, personas(p1="One"), None, members("p1"), {})[
        "change"
    ].to_pylist() == ["born"]
    nobody = personas(no_structure="No structure found")
    assert len(persona_changes("r", None, nobody, None, members("no_structure"), {})) == 0
