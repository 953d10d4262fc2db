"""An example of the repository, run, and held against SQL over the raw files alone.

A `WorkedExample` holds a connection with the published database attached as ``published``. Its
views ``published_touchpoints``, ``sessions`` and ``journeys`` show footpath's tables with the
subject's own identifier in the place of ``customer_id``. A test says in SQL what the raw files
hold, which becomes the table ``touchpoints``; from that `tests.oracles.sessions_sql` computes the
sessions and journeys to expect. Nothing of footpath's mapping, folding or cutting has a part in it.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from contracts.config import Config
from contracts.loading import load_config
from footpath.running import STAGES, run_stages
from sql.check import check_connection
from tests.oracles.sessions_sql import JOURNEYS, SESSIONS, difference

__all__ = ["DATA", "WorkedExample", "needs", "run"]

_ROOT = Path(__file__).parents[2]
DATA = _ROOT.parent / "shared" / "data"

_END_NODES = "('START', 'CONVERSION', 'DROP_OFF', 'OPEN')"


def needs(folder: str) -> pytest.MarkDecorator:
    """Skip where the example's data is absent; it is no part of the project."""
    return pytest.mark.skipif(
        not (DATA / folder).is_dir(), reason=f"../shared/data/{folder} is absent"
    )


class WorkedExample:
    """A published example and the questions that all examples are asked."""

    def __init__(self, config: Config, namespace: str) -> None:
        self.config = config
        self.con = duckdb.connect(config={"threads": 1})
        self.con.execute("SET TimeZone = 'UTC'")
        database = config.warehouse / "current" / "footpath.duckdb"
        self.con.execute(f"ATTACH '{database}' AS published (READ_ONLY)")
        views = {
            "published_touchpoints": "touchpoints",
            "sessions": "sessions",
            "journeys": "journeys",
        }
        for view, table in views.items():
            self.con.execute(
                f"CREATE VIEW {view} AS SELECT i.value AS customer_id, p.* EXCLUDE (customer_id) "
                f"FROM published.{table} p JOIN published.identities i USING (customer_id) "
                f"WHERE namespace = '{namespace}'"
            )

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        return self.con.execute(sql, parameters or None).fetchall()

    def expect_touchpoints(self, sql: str) -> None:
        """Say what the raw files hold, as SQL."""
        self.con.execute(f"CREATE TABLE touchpoints AS {sql}")

    def accounting(self) -> dict[str, tuple[int, ...]]:
        """By source: records read, events, duplicates, dead letters, quarantined, withheld."""
        found = self.rows(
            "SELECT source, sum(records_read), sum(events), sum(duplicates), sum(dead_letters), "
            "sum(quarantined), sum(withheld) FROM published.ingest_ledger GROUP BY source"
        )
        return {source: tuple(int(n) for n in numbers) for source, *numbers in found}

    def touchpoint_differences(self, columns: str) -> list[tuple[Any, ...]]:
        """Touchpoints that only footpath has, and touchpoints that only the raw files have."""
        ours = f"SELECT {columns} FROM published_touchpoints"
        theirs = f"SELECT {columns} FROM touchpoints"
        return self.rows(
            f"(SELECT 'only footpath', * FROM ({ours} EXCEPT ALL {theirs})) UNION ALL "
            f"(SELECT 'only raw files', * FROM ({theirs} EXCEPT ALL {ours}))"
        )

    def cut_differences(self, table: str) -> list[tuple[Any, ...]]:
        """Sessions or journeys that only one side has, row for row."""
        oracle, gap, more = {
            "sessions": (SESSIONS, self.config.session.gap, {}),
            "journeys": (
                JOURNEYS,
                self.config.journey.gap,
                {
                    "conversion": list(self.config.journey.conversion),
                    "pre_purchase": list(self.config.pre_purchase_stages),
                },
            ),
        }[table]
        gap_us = gap // timedelta(microseconds=1)
        return difference(self.con, table, oracle, {"gap": gap_us, **more})

    def unbalanced_nodes(self) -> list[tuple[Any, ...]]:
        """Nodes whose arrivals are not their departures; START against the three ends."""
        return self.rows(
            f"""
            WITH moves AS (
              SELECT level, segment, segment_value, source_node AS node, count AS out, 0 AS in_
              FROM published.transitions UNION ALL
              SELECT level, segment, segment_value, target_node, 0, count FROM published.transitions
            )
            SELECT level, segment, segment_value, if(node IN {_END_NODES}, 'ends', node) AS n,
              sum(out), sum(in_)
            FROM moves GROUP BY ALL HAVING sum(out) <> sum(in_)
            """
        )

    def broken_checks(self) -> list[str]:
        """Every published number that does not agree with the others."""
        with self.con.cursor() as con:
            con.execute("USE published")
            return [str(result) for result in check_connection(con) if not result.passed]


def run(name: str, warehouse: Path, namespace: str) -> WorkedExample:
    """Run every stage of ``examples/<name>`` into a warehouse of the test's own."""
    config = load_config(_ROOT / "examples" / name / "footpath.yml")
    config = config.model_copy(update={"warehouse": warehouse})
    run_stages(config, STAGES, ())
    return WorkedExample(config, namespace)
