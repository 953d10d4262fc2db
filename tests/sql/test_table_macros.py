"""Every table macro gives what plain Python finds by trying everything, on random journeys."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from math import sqrt
from pathlib import Path

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sql.statements import statement, statements
from tests.small_world import publish_small_world

NAMES = ("search", "see it", "cart", "buy", "help")
GAP = timedelta(days=30)
ENDS = {"converted": "CONVERSION", "lapsed": "DROP_OFF", "open": "OPEN"}
SOME = hypothesis_settings(max_examples=15)


@dataclass(frozen=True)
class Journey:
    """A journey as the tests know it."""

    journey_id: str
    customer_id: str
    names: list[str]
    times: list[datetime]
    watermark: datetime

    @property
    def converted_at(self) -> datetime | None:
        return next((t for n, t in zip(self.names, self.times, strict=True) if n == "buy"), None)

    @property
    def running(self) -> bool:
        return self.watermark - self.times[-1] <= GAP

    @property
    def outcome(self) -> str:
        if self.converted_at:
            return "converted"
        return "open" if self.running else "lapsed"

    @property
    def whole(self) -> list[str]:
        """Touchpoints between START and the end."""
        return ["START", *self.names, ENDS[self.outcome]]


@st.composite
def worlds(draw: st.DrawFn) -> list[Journey]:
    """A few customers with journeys one after another; times repeat, and the watermark is the last."""
    moves = st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from([0, 1, 24, 24 * 7])),
        min_size=1,
        max_size=7,
    )
    drawn: list[tuple[str, list[str], list[datetime]]] = []
    for customer in range(draw(st.integers(1, 4))):
        at = datetime(2025, 1, 1) + timedelta(days=draw(st.integers(0, 40)))
        for walk in draw(st.lists(moves, min_size=1, max_size=3)):
            times = []
            for _, hours in walk:
                at += timedelta(hours=hours)
                times.append(at)
            drawn.append((f"c{customer}", [name for name, _ in walk], times))
            at += GAP + timedelta(hours=1)
    last = max(times[-1] for _, _, times in drawn)
    return [Journey(f"j{n}", *told, last) for n, told in enumerate(drawn)]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with what the macros read, and the macros."""
    with duckdb.connect() as connection:
        connection.execute("""
            CREATE TABLE touchpoints (customer_id VARCHAR, journey_id VARCHAR, step INTEGER,
                event_time TIMESTAMP, touchpoint VARCHAR, converts BOOLEAN, value DECIMAL(18, 4),
                currency VARCHAR);
            CREATE TABLE journeys (customer_id VARCHAR, journey_id VARCHAR, touchpoints INTEGER,
                started_at TIMESTAMP, ended_at TIMESTAMP, converted_at TIMESTAMP, outcome VARCHAR);
            CREATE TABLE sessions (customer_id VARCHAR, started_at TIMESTAMP);
            CREATE TABLE settings (watermark TIMESTAMP, journey_gap_s DOUBLE);
        """)
        for macro in statements("macros"):
            connection.execute(macro.text)
        for table in ("journey_letters", "journey_walks"):
            connection.execute(statement("tables", table).text)
        for macro in statements("table_macros"):
            connection.execute(macro.text)
        yield connection


def fill(con: duckdb.DuckDBPyConnection, world: Sequence[Journey]) -> None:
    """Put a world in the place of the one before; every touchpoint begins a session of its own."""
    for table in ("touchpoints", "journeys", "sessions", "settings"):
        con.execute(f"DELETE FROM {table}")
    touchpoints = [
        (j.customer_id, j.journey_id, step, time, name, name == "buy", 10 * step, "EUR")
        for j in world
        for step, (name, time) in enumerate(zip(j.names, j.times, strict=True), start=1)
    ]
    journeys = [
        (
            j.customer_id,
            j.journey_id,
            len(j.names),
            j.times[0],
            j.times[-1],
            j.converted_at,
            j.outcome,
        )
        for j in world
    ]
    for table, rows in (("touchpoints", touchpoints), ("journeys", journeys)):
        row = f"({', '.join('?' * len(rows[0]))})"
        values = [value for row in rows for value in row]
        con.execute(f"INSERT INTO {table} VALUES {', '.join([row] * len(rows))}", values)
    con.execute("INSERT INTO sessions SELECT customer_id, event_time FROM touchpoints")
    con.execute("INSERT INTO settings VALUES (?, ?)", [world[0].watermark, GAP.total_seconds()])
    for table in ("journey_letters", "journey_walks"):
        query = statement("tables", table).text.partition(" AS\n")[2].partition(";")[0]
        con.execute(f"DELETE FROM {table}; INSERT INTO {table} {query}")


def got_through(journey: Journey, wanted: Sequence[str], within: timedelta) -> int:
    """How many steps of a funnel a journey takes, by trying all choices of touchpoints."""
    for length in range(len(wanted), 0, -1):
        for chosen in combinations(range(len(journey.names)), length):
            names = [journey.names[i] for i in chosen]
            if (
                names == list(wanted[:length])
                and journey.times[chosen[-1]] - journey.times[chosen[0]] <= within
            ):
                return length
    return 0


@SOME
@given(
    world=worlds(),
    wanted=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    days=st.sampled_from([0, 1, 7, 8, 400]),
)
def test_a_funnel_is_what_trying_all_choices_gives(
    con: duckdb.DuckDBPyConnection, world: list[Journey], wanted: list[str], days: int
) -> None:
    """Journeys and customers of each step; and who went on, was lost or is open adds up to it."""
    fill(con, world)
    wanted = [name for name in wanted if any(name in j.names for j in world)]
    assume(wanted)
    depth = {j.journey_id: got_through(j, wanted, timedelta(days=days)) for j in world}
    expected = []
    for step, name in enumerate(wanted, start=1):
        there = [j for j in world if depth[j.journey_id] >= step]
        stopped = [j for j in there if depth[j.journey_id] == step and step < len(wanted)]
        running = sum(j.running for j in stopped)
        customers = len({j.customer_id for j in there})
        went_on, lost = len(there) - len(stopped), len(stopped) - running
        expected.append((step, name, len(there), customers, went_on, lost, running))
    found = con.execute(
        "SELECT step, touchpoint, journeys, customers, went_on, lost, still_open "
        "FROM funnel($1::VARCHAR[], within := to_days($2))",
        [wanted, days],
    ).fetchall()
    assert found == expected
    assert all(journeys == sum(rest) for _, _, journeys, _, *rest in found)


@SOME
@given(world=worlds(), moves=st.integers(1, 4), name=st.sampled_from((*NAMES, "START")))
def test_paths_are_those_of_every_arrival(
    con: duckdb.DuckDBPyConnection, world: list[Journey], moves: int, name: str
) -> None:
    """Onwards, backwards and both ways: arrivals, journeys and customers of each path."""
    fill(con, world)
    if not any(name in j.whole for j in world):
        return
    ways = {
        "paths_from($1, moves := $2)": (0, moves),
        "paths_to($1, moves := $2)": (moves, 0),
        "paths_around($1, $2, $2)": (moves, moves),
    }
    if name == "START":
        del ways["paths_to($1, moves := $2)"], ways["paths_around($1, $2, $2)"]
    for macro, (back, on) in ways.items():
        paths = defaultdict(list)
        for journey in world:
            for place, other in enumerate(journey.whole):
                if other == name:
                    way = journey.whole[max(0, place - back) : place + on + 1]
                    paths[" > ".join(way)].append(journey)
        found = con.execute(
            f"SELECT path, arrivals, journeys, customers, share FROM {macro}", [name, moves]
        ).fetchall()
        total = sum(map(len, paths.values()))
        assert sorted(found) == sorted(
            (
                path,
                len(taken),
                len({j.journey_id for j in taken}),
                len({j.customer_id for j in taken}),
                len(taken) / total,
            )
            for path, taken in paths.items()
        )


@SOME
@given(world=worlds(), steps=st.integers(1, 9))
def test_a_step_matrix_holds_every_journey_at_every_step(
    con: duckdb.DuckDBPyConnection, world: list[Journey], steps: int
) -> None:
    """At its touchpoint, or at its end from there on; columns add up to all journeys."""
    fill(con, world)
    expected = Counter(
        (step, j.names[step - 1] if step <= len(j.names) else j.whole[-1])
        for j in world
        for step in range(1, steps + 1)
    )
    found = con.execute("SELECT step, node, journeys, share FROM step_matrix($1)", [steps])
    rows = found.fetchall()
    assert {(step, node): journeys for step, node, journeys, _ in rows} == expected
    for step in range(1, steps + 1):
        column = [(journeys, share) for at, _, journeys, share in rows if at == step]
        assert sum(journeys for journeys, _ in column) == len(world)
        assert sum(share for _, share in column) == pytest.approx(1)


PATTERNS: list[tuple[str, Callable[[list[str]], bool]]] = [
    ("search", lambda whole: "search" in whole),
    (
        "search .* buy",
        lambda w: any(a == "search" and "buy" in w[i + 1 :] for i, a in enumerate(w)),
    ),
    ("search.*buy", lambda w: any(a == "search" and "buy" in w[i + 1 :] for i, a in enumerate(w))),
    ('"see it" cart', lambda w: ("see it", "cart") in pairwise(w)),
    ("START (help|cart)", lambda w: w[1] in ("help", "cart")),
    ("[buy cart] DROP_OFF", lambda w: w[-1] == "DROP_OFF" and w[-2] in ("buy", "cart")),
    ("help{2,3} CONVERSION", lambda w: w[-1] == "CONVERSION" and w[-3:-1] == ["help", "help"]),
    (
        "cart . buy",
        lambda w: any(a == "cart" and b == "buy" for a, b in zip(w, w[2:], strict=False)),
    ),
    ("START . . OPEN", lambda w: len(w) == 4 and w[-1] == "OPEN"),
    ("START search? buy", lambda w: w[1] == "buy" or w[1:3] == ["search", "buy"]),
]


@pytest.mark.parametrize(("pattern", "holds"), PATTERNS, ids=[p for p, _ in PATTERNS])
@hypothesis_settings(max_examples=6)
@given(world=worlds())
def test_matching_journeys_are_those_for_which_it_holds(
    con: duckdb.DuckDBPyConnection,
    pattern: str,
    holds: Callable[[list[str]], bool],
    world: list[Journey],
) -> None:
    """A name is one touchpoint, a dot any one, never a journey's start or end."""
    every = Journey("all names", "c9", list(NAMES), [world[0].watermark] * 5, world[0].watermark)
    fill(con, [*world, every])
    found = con.execute("SELECT journey_id FROM journeys_matching($1)", [pattern]).fetchall()
    expected = {j.journey_id for j in (*world, every) if holds(j.whole)}
    assert sorted(found) == sorted((name,) for name in expected)


def monday(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


@SOME
@given(world=worlds())
def test_retention_counts_who_came_again_in_each_week(
    con: duckdb.DuckDBPyConnection, world: list[Journey]
) -> None:
    """For every cohort every week to the watermark, whether anybody came or not."""
    fill(con, world)
    weeks: dict[str, set[date]] = defaultdict(set)
    for journey in world:
        weeks[journey.customer_id] |= {monday(time) for time in journey.times}
    expected = []
    last = monday(world[0].watermark)
    for cohort in sorted({min(seen) for seen in weeks.values()}):
        members = [seen for seen in weeks.values() if min(seen) == cohort]
        for later in range((last - cohort).days // 7 + 1):
            week = cohort + timedelta(days=7 * later)
            complete = datetime.combine(week + timedelta(days=7), datetime.min.time())
            active = sum(week in seen for seen in members)
            expected.append((cohort, later, len(members), active, complete <= world[0].watermark))
    found = con.execute(
        "SELECT cohort, periods_later, customers, active, complete FROM retention('week')"
    ).fetchall()
    assert found == expected


@SOME
@given(world=worlds(), name=st.sampled_from(NAMES))
def test_a_cohort_is_followed_from_its_first_touchpoint(
    con: duckdb.DuckDBPyConnection, world: list[Journey], name: str
) -> None:
    """Who is active in each month, and what is ordered for how much, from that moment on."""
    fill(con, world)
    if not any(name in j.names for j in world):
        return
    lived = defaultdict(list)  # customer: (time, name, value)
    for j in world:
        for step, (other, time) in enumerate(zip(j.names, j.times, strict=True), start=1):
            lived[j.customer_id].append((time, other, 10 * step))
    members, active = defaultdict(set), defaultdict(set)
    orders, revenue = Counter(), Counter()
    for customer, events in lived.items():
        entry = min((time for time, other, _ in events if other == name), default=None)
        if entry is None:
            continue
        cohort = entry.date().replace(day=1)
        members[cohort].add(customer)
        for time, other, value in events:
            if time >= entry:
                key = cohort, 12 * (time.year - cohort.year) + time.month - cohort.month
                active[key].add(customer)
                orders[key] += other == "buy"
                revenue[key] += value * (other == "buy")
    found = con.execute(
        "SELECT cohort, periods_later, customers, active, orders, coalesce(revenue, 0)::INTEGER "
        "FROM cohort($1, 'month')",
        [name],
    ).fetchall()
    last = world[0].watermark
    assert found == [
        (cohort, later, len(members[cohort]), len(active[key]), orders[key], revenue[key])
        for cohort in sorted(members)
        for later in range(12 * (last.year - cohort.year) + last.month - cohort.month + 1)
        for key in [(cohort, later)]
    ]


def wilson(k: int, n: int) -> tuple[float, float]:
    z = 1.959963984540054
    centre, half = (
        (k + z * z / 2) / (n + z * z),
        z * sqrt(k * (n - k) / n + z * z / 4) / (n + z * z),
    )
    return centre - half, centre + half


@SOME
@given(world=worlds(), cut=st.integers(1, 60))
def test_two_periods_are_compared_by_the_journeys_started_in_them(
    con: duckdb.DuckDBPyConnection, world: list[Journey], cut: int
) -> None:
    """Counts, denominators and Newcombe's interval of the difference, for every touchpoint."""
    fill(con, world)
    middle = date(2025, 1, 1) + timedelta(days=cut)
    sides = [
        [j for j in world if j.times[0].date() < middle],
        [j for j in world if middle <= j.times[0].date() <= date(2026, 1, 1)],
    ]
    expected = {}
    for name in {name for j in world for name in j.names}:
        expected["reached", name] = [(sum(name in j.names for j in s), len(s)) for s in sides]
    mature = [[j for j in s if j.times[0] + GAP <= j.watermark] for s in sides]
    expected["converted", None] = [
        (sum(j.converted_at is not None and j.converted_at <= j.times[0] + GAP for j in s), len(s))
        for s in mature
    ]
    found = con.execute(
        "FROM compare_periods(DATE '2025-01-01', $1::DATE - 1, $1::DATE, DATE '2026-01-01')",
        [middle],
    ).fetchall()
    counts = {(m, t): [(ka, na), (kb, nb)] for m, t, ka, na, kb, nb, *_ in found}
    assert counts == expected
    for _, _, ka, na, kb, nb, a, b, difference, low, high in found:
        if na and nb:
            (la, ha), (lb, hb) = wilson(ka, na), wilson(kb, nb)
            assert (a, b, difference) == (ka / na, kb / nb, kb / nb - ka / na)
            assert low == pytest.approx(difference - sqrt((b - lb) ** 2 + (ha - a) ** 2), abs=1e-6)
            assert high == pytest.approx(difference + sqrt((hb - b) ** 2 + (a - la) ** 2), abs=1e-6)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=150)


SAME_NUMBER = {
    "funnel, stages": (
        "SELECT journeys, customers FROM funnel(['search'])",
        "SELECT journeys, customers FROM stages WHERE level = 'touchpoint' AND segment = 'all' AND node = 'search'",
    ),
    "funnel, journeys_matching": (
        "SELECT journeys FROM funnel(['search', 'add_to_cart']) WHERE step = 2",
        "SELECT count(*) FROM journeys_matching('search .* add_to_cart')",
    ),
    "paths_from, transitions": (
        "SELECT path[16:], arrivals, journeys, customers, share FROM paths_from('product_view', 1) ORDER BY ALL",
        """SELECT target_node, count, journeys, customers, count / visits FROM transitions
        JOIN (SELECT visits FROM stages WHERE level = 'touchpoint' AND segment = 'all' AND node = 'product_view')
        ON true WHERE level = 'touchpoint' AND segment = 'all' AND source_node = 'product_view' ORDER BY ALL""",
    ),
    "paths_to, transitions": (
        "SELECT path, arrivals, journeys, customers FROM paths_to('CONVERSION', 1) ORDER BY ALL",
        """SELECT source_node || ' > CONVERSION', count, journeys, customers FROM transitions
        WHERE level = 'touchpoint' AND segment = 'all' AND target_node = 'CONVERSION' ORDER BY ALL""",
    ),
    "fct_transition, transitions": (
        """SELECT source_touchpoint, target_touchpoint, count(*), count(DISTINCT journey_id),
        count(DISTINCT customer_id) FROM fct_transition GROUP BY ALL ORDER BY ALL""",
        """SELECT source_node, target_node, count, journeys, customers FROM transitions
        WHERE level = 'touchpoint' AND segment = 'all' ORDER BY ALL""",
    ),
    "fct_transition, transitions of stages": (
        "SELECT source_stage, target_stage, count(*) FROM fct_transition GROUP BY ALL ORDER BY ALL",
        """SELECT source_node, target_node, count FROM transitions
        WHERE level = 'stage' AND segment = 'all' ORDER BY ALL""",
    ),
    "step_matrix, journeys": (
        "SELECT node, journeys FROM step_matrix(1) ORDER BY ALL",
        "SELECT entry_touchpoint, count(*) FROM journeys GROUP BY ALL ORDER BY ALL",
    ),
    "step_matrix, outcomes": (
        """SELECT node, journeys FROM step_matrix(50)
        WHERE step = 50 ORDER BY ALL""",
        """SELECT CASE outcome WHEN 'converted' THEN 'CONVERSION' WHEN 'open' THEN 'OPEN' ELSE 'DROP_OFF' END,
        count(*) FROM journeys GROUP BY ALL ORDER BY ALL""",
    ),
    "retention, kpis": (
        """SELECT cohort + 7 * periods_later, sum(active) FROM retention('week')
        GROUP BY ALL HAVING sum(active) > 0 ORDER BY ALL""",
        """SELECT period_start, value FROM kpis
        WHERE measure = 'customers' AND period = 'week' AND segment = 'all' ORDER BY ALL""",
    ),
    "cohort, funnel": (
        "SELECT sum(customers) FROM cohort('purchase', 'week') WHERE periods_later = 0",
        "SELECT customers FROM funnel(['purchase'])",
    ),
    "compare_periods, kpis": (
        """SELECT a_journeys, a_of, a FROM compare_periods(DATE '2025-03-01', DATE '2025-03-31',
        DATE '2025-04-01', DATE '2025-04-30') WHERE measure = 'converted'""",
        """SELECT numerator, denominator, value FROM kpis WHERE measure = 'mature_conversion_rate'
        AND period_start = DATE '2025-03-01' AND period = 'month' AND segment = 'all'""",
    ),
}  # fmt: skip


@pytest.mark.parametrize("asked", SAME_NUMBER)
def test_the_same_question_asked_two_ways_gives_one_number(published: Path, asked: str) -> None:
    """Macros agree with each other, with the star, and with the published graph and KPIs."""
    with duckdb.connect(str(published), read_only=True) as con:
        one, other = (con.execute(query).fetchall() for query in SAME_NUMBER[asked])
    assert one == other
    assert one


DOCUMENTED = [("views", s) for s in statements("views")] + [
    ("table_macros", s) for s in statements("table_macros")
]


@pytest.mark.parametrize(("folder", "file"), DOCUMENTED, ids=[s.name for _, s in DOCUMENTED])
def test_every_view_and_macro_has_an_example_that_answers(
    published: Path, folder: str, file: object
) -> None:
    """The header's example runs, and gives rows."""
    with duckdb.connect(str(published), read_only=True) as con:
        assert con.execute(file.said("example")).fetchall()


def test_duckdb_1_2_can_read_what_is_stored() -> None:
    """It knows neither `if` as a function nor arrows or words for lambdas; CASE it knows."""
    stored = [s for folder in ("macros", "views", "table_macros") for s in statements(folder)]
    assert [s.name for s in stored if re.search(r"\bif\(|\blambda\b|->", s.text)] == []


def test_macros_carry_their_comment(published: Path) -> None:
    """``FROM duckdb_functions()`` explains each, as columns are explained."""
    with duckdb.connect(str(published), read_only=True) as con:
        silent = con.execute(
            "SELECT function_name FROM duckdb_functions() WHERE NOT internal AND comment IS NULL"
        ).fetchall()
    assert silent == []
