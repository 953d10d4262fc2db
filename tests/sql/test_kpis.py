"""KPIs of customers, orders and service equal a recomputation in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import mean, median, stdev

import duckdb
import pytest

from models.intervals import mean_interval, wilson_interval
from sql.publish import publish_database
from tests.small_world import SETTINGS, small_world, write_lake

WATERMARK = SETTINGS["watermark"].replace(tzinfo=None)
Row = dict[str, object]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed; a journey in three begins with a conversion."""
    folder = tmp_path_factory.mktemp("world")
    world = small_world(customers=150)
    with duckdb.connect() as con:
        for name in ("touchpoints", "journeys"):
            con.register(name, world[name])
        con.execute(
            "CREATE TABLE begun AS SELECT journey_id FROM journeys WHERE ends_with(journey_id, '-0')"
        )
        world["touchpoints"] = (
            con.sql(
                "SELECT * REPLACE (converts OR step = 1 AND journey_id IN (FROM begun) AS converts) FROM touchpoints"
            )
            .to_arrow_table()
            .cast(world["touchpoints"].schema)
        )
        world["journeys"] = (
            con.sql(
                "SELECT * REPLACE (converted OR journey_id IN (FROM begun) AS converted, "
                "CASE WHEN journey_id IN (FROM begun) THEN started_at ELSE converted_at END AS converted_at) "
                "FROM journeys"
            )
            .to_arrow_table()
            .cast(world["journeys"].schema)
        )
    publish_database(folder / "footpath.duckdb", write_lake(folder / "tables", world), **SETTINGS)
    return folder / "footpath.duckdb"


@pytest.fixture(scope="module")
def touchpoints(published: Path) -> list[Row]:
    """All touchpoints in the order of time."""
    with duckdb.connect(str(published), read_only=True) as con:
        found = con.sql("FROM touchpoints ORDER BY customer_id, event_time")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def kpis(published: Path, measure: str, period: str, segment: str = "all") -> dict:
    """(start, segment value): (value, low, high, numerator, denominator)."""
    with duckdb.connect(str(published), read_only=True) as con:
        rows = con.execute(
            "SELECT period_start, segment_value, value, low, high, numerator, denominator "
            "FROM kpis WHERE measure = ? AND period = ? AND segment = ?",
            [measure, period, segment],
        ).fetchall()
    return {(start, value): tuple(rest) for start, value, *rest in rows}


def month(moment: datetime) -> date:
    return moment.date().replace(day=1)


def week(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


def after(start: date, period: str) -> date:
    return (
        (start + timedelta(days=32)).replace(day=1) if period == "month" else start + timedelta(7)
    )


@pytest.mark.parametrize(("period", "of"), [("month", month), ("week", week)])
def test_every_customer_seen_has_one_state_of_life(
    published: Path, touchpoints: list[Row], period: str, of: Callable[[datetime], date]
) -> None:
    """New, current, returning, resurrected, at risk or dormant, by the periods it had sessions in."""
    active: dict[object, set[date]] = defaultdict(set)
    for t in touchpoints:
        if t["session_step"] == 1:
            active[t["customer_id"]].add(of(t["event_time"]))
    starts = [min(min(seen) for seen in active.values())]
    while datetime.combine(after(starts[-1], period), datetime.min.time()) <= WATERMARK:
        starts.append(after(starts[-1], period))
    starts.pop()
    expected: dict[str, Counter[date]] = defaultdict(Counter)
    retained, of_before = Counter(), Counter()
    for n, start in enumerate(starts):
        before = starts[n - 1] if n else None
        for seen in active.values():
            earlier = [s for s in seen if s < start]
            retained[start] += start in seen and before in seen
            of_before[start] += before in seen
            if start in seen:
                away = n - starts.index(max(earlier)) if earlier else 0
                state = {0: "new", 1: "current", 2: "returning"}.get(away, "resurrected")
            elif earlier:
                state = "at_risk" if before in seen else "dormant"
            else:
                continue
            expected[state][start] += 1
    for state in ("new", "current", "returning", "resurrected", "at_risk", "dormant"):
        found = {s: v[0] for (s, _), v in kpis(published, f"customers_{state}", period).items()}
        assert found == {start: expected[state][start] for start in starts}, state
        if period == "week":
            assert sum(found.values()), state
    rates = kpis(published, "retention_rate", period)
    assert {s: v[3:] for (s, _), v in rates.items()} == {
        start: (retained[start], of_before[start]) for start in starts if of_before[start]
    }
    for value, low, high, numerator, denominator in rates.values():
        ends = [float(end) for end in wilson_interval(numerator, denominator)]
        assert (value, low, high) == pytest.approx((numerator / denominator, *ends), abs=1e-6)


@pytest.mark.parametrize(("period", "of"), [("month", month), ("week", week)])
def test_repeat_rate_and_time_to_convert(
    published: Path, touchpoints: list[Row], period: str, of: Callable[[datetime], date]
) -> None:
    """Customers for whom an order is not the first; the median wait, of all and without those who convert at once."""
    ordered: dict[date, dict[object, bool]] = defaultdict(dict)
    had: set[object] = set()
    began: dict[object, datetime] = {}
    waits: dict[date, list[float]] = defaultdict(list)
    at_once: Counter[date] = Counter()
    done: set[object] = set()
    for t in touchpoints:
        customer, journey, at = t["customer_id"], t["journey_id"], t["event_time"]
        began.setdefault(journey, at)
        if t["converts"]:
            known = ordered[of(at)]
            known[customer] = known.get(customer, False) or customer in had
            had.add(customer)
            if journey not in done:
                waits[of(at)].append((at - began[journey]).total_seconds())
                at_once[of(at)] += t["step"] == 1
                done.add(journey)
    found = kpis(published, "repeat_rate", period)
    assert {s: v[3:] for (s, _), v in found.items()} == {
        start: (sum(known.values()), len(known)) for start, known in ordered.items()
    }
    assert any(numerator for *_, numerator, _ in found.values())
    shares = kpis(published, "converted_at_once", period)
    assert {s: v[3:] for (s, _), v in shares.items()} == {
        start: (at_once[start], len(known)) for start, known in waits.items()
    }
    assert 0 < at_once.total() < sum(map(len, waits.values()))
    later = {
        start: sorted(known)[at_once[start] :] for start, known in waits.items()
    }  # the rest take time
    for measure, times in (("time_to_convert", waits), ("time_to_convert_in_steps", later)):
        medians = kpis(published, measure, period)
        assert {s: (v[0], v[4]) for (s, _), v in medians.items()} == {
            start: (pytest.approx(median(known)), len(known))
            for start, known in times.items()
            if known
        }
        for value, low, high, _, n in medians.values():
            assert (low is None) == (n <= 5)
            assert low is None or low <= value <= high


def test_the_interval_of_a_median_covers_as_it_says() -> None:
    """The ranks leave at most 5% of the binomial distribution outside, for every number of waits."""
    from math import ceil, floor, sqrt

    from scipy.stats import binom

    for n in range(6, 400):
        low = max(1, floor(n / 2 - 0.979982 * sqrt(n)))
        high = min(n, ceil(1 + n / 2 + 0.979982 * sqrt(n)))
        assert binom.cdf(high - 1, n, 0.5) - binom.cdf(low - 1, n, 0.5) >= 0.95


@pytest.mark.parametrize("segment", ["all", "stage", "channel"])
def test_scores_are_those_of_the_answers_with_the_house_interval(
    published: Path, touchpoints: list[Row], segment: str
) -> None:
    """Mean satisfaction and net promoter score; interval as `models.intervals.mean_interval` has it."""
    answers: dict[tuple[str, object], list[float]] = defaultdict(list)
    for t in touchpoints:
        place = "all" if segment == "all" else t[segment]
        if t["csat"] is not None:
            answers["csat", place].append(t["csat"])
        if t["nps"] is not None:
            answers["nps", place].append((t["nps"] >= 9) + 0.5 * (6 < t["nps"] < 9))
    for measure, least, span in (("csat", 0, 1), ("nps", -100, 200)):
        found = kpis(published, measure, "all", segment)
        given = {place: a for (name, place), a in answers.items() if name == measure}
        assert {place for _, place in found} == set(given)
        for (_, place), (value, low, high, _, n) in found.items():
            mine = given[place]
            ends = mean_interval(len(mine), sum(mine), sum(a * a for a in mine))
            told = [least + span * float(end) for end in ends]
            assert n == len(mine)
            assert (value, low, high) == pytest.approx(told, abs=1e-5)


def test_a_matter_is_settled_at_first_contact_if_none_follows_in_seven_days(
    published: Path, touchpoints: list[Row]
) -> None:
    """Contacts after another one within 7 days begin no matter of their own; young matters wait."""
    asked = defaultdict(list)
    for t in touchpoints:
        if t["touchpoint"] == "support_ticket":
            asked[t["customer_id"]].append(t["event_time"])
    days = timedelta(days=7)
    settled = [
        not any(at < other <= at + days for other in times)
        for times in asked.values()
        for at in times
        if at + days <= WATERMARK and not any(at - days <= other < at for other in times)
    ]
    ((value, low, high, numerator, denominator),) = kpis(
        published, "first_contact_resolution", "all"
    ).values()
    assert (numerator, denominator) == (sum(settled), len(settled))
    assert 0 < numerator < denominator
    ends = [float(end) for end in wilson_interval(numerator, denominator)]
    assert (value, low, high) == pytest.approx((numerator / denominator, *ends), abs=1e-6)


def test_the_average_order_has_the_interval_of_a_mean(
    published: Path, touchpoints: list[Row]
) -> None:
    """1.96 standard errors to both sides."""
    values = [float(t["value"]) for t in touchpoints if t["converts"] and t["value"] is not None]
    ((value, low, high, _, n),) = kpis(published, "average_order_value", "all").values()
    half = 1.959964 * stdev(values) / len(values) ** 0.5
    assert (n, value) == (len(values), pytest.approx(mean(values)))
    assert (low, high) == (pytest.approx(value - half), pytest.approx(value + half))


def test_every_measure_is_defined(published: Path) -> None:
    """What is in kpis is in kpi_definitions, and the other way round."""
    with duckdb.connect(str(published), read_only=True) as con:
        used = con.execute("SELECT DISTINCT measure FROM kpis ORDER BY 1").fetchall()
        defined = con.execute("SELECT measure FROM kpi_definitions ORDER BY 1").fetchall()
    assert used == defined
