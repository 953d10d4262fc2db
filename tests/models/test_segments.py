"""What journeys are sliced by is the same in the graph as in the published database."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from contracts.config import PERIODS
from models.segments import add_segments, period_names
from sql.strata import PERIOD_NAMES


@pytest.mark.parametrize("period", PERIODS)
def test_periods_are_named_as_in_sql(period: str) -> None:
    """Over seventy years, begins and ends of days and of years included, both names agree."""
    rng = np.random.default_rng(6)
    days = np.append(rng.integers(0, 25_567, 3000), [0, 364, 365, 10_956, 10_957, 18_261, 18_262])
    times = days * 86_400_000_000 + rng.choice([0, 1, 43_200_000_000, 86_399_999_999], len(days))
    column = pa.array(times, pa.timestamp("us", "UTC"))
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.register("journeys", pa.table({"started_at": column}))
    told = con.sql(
        f"SELECT {PERIOD_NAMES[period]} FROM (SELECT started_at::TIMESTAMP AS started_at FROM journeys)"
    ).fetchall()
    assert period_names(column, period).to_pylist() == [name for (name,) in told]


def test_segments_are_attributes_first_then_periods_and_personas() -> None:
    """A journey without persona has none; an attribute named month is not touched."""
    journeys = pa.table(
        {
            "journey_id": ["j1", "j2"],
            "month": ["own", None],
            "started_at": pa.array([0, 0], pa.timestamp("us", "UTC")),
        }
    )
    personas = pa.table({"journey_id": ["j2", "j9"], "persona_id": ["p1", "p2"]})
    found = add_segments(journeys, ["month", "year", "persona"], personas)
    assert found["month"].to_pylist() == ["own", None]
    assert found["year"].to_pylist() == ["1970", "1970"]
    assert found["persona"].to_pylist() == [None, "p1"]
