"""The DAG imports neither footpath nor is it imported by it; what it repeats of footpath is held equal here."""

from __future__ import annotations

import ast
from pathlib import Path

from contracts.schemas import TABLES
from footpath.running import STAGES

DAG = Path(__file__).parents[2] / "dags" / "footpath_daily.py"


def assigned(name: str) -> ast.expr:
    """What the DAG's module assigns to a name."""
    for node in ast.parse(DAG.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return node.value
    raise AssertionError(f"{DAG} assigns nothing to {name}")


def test_one_task_a_stage_in_the_order_of_a_run() -> None:
    """`footpath run` and the DAG do the same things in the same order."""
    timeouts = assigned("TIMEOUTS")
    assert isinstance(timeouts, ast.Dict)
    assert tuple(ast.literal_eval(key) for key in timeouts.keys if key) == STAGES


def test_every_table_has_an_asset() -> None:
    """Nothing that is published goes unannounced."""
    announced = ast.literal_eval(assigned("TABLES"))
    assert set(TABLES) <= set(announced)
    assert sorted(announced) == list(announced)
