"""How long the macros take on many journeys: wall and processor seconds of each, on one database.

Journeys of about five touchpoints out of thirty are drawn by SQL from a fixed seed, as a published database has them;
nothing else of a warehouse is needed by the macros. Beside each stands what somebody would write by hand for its main
number, without the ends of journeys, customers, intervals and checks of names that the macro has.

    python benchmarks/macros.py --journeys 1000000 --threads 2
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb

from sql.statements import statement, statements

_WORLD = """
CREATE TABLE settings AS SELECT TIMESTAMP '2026-07-01' AS watermark, 2592000.0 AS journey_gap_s;

CREATE TABLE touchpoints AS
WITH drawn AS (
    SELECT
        md5('j' || j)[:16] AS journey_id,
        md5('c' || (j * 5 // 8))[:16] AS customer_id,
        TIMESTAMP '2026-01-01' + to_seconds(hash(j) % 15000000) AS begins,
        unnest(range(1, 2 + (-5 * ln((hash(j, 'n') % 1000000 + 1) / 1000000.0))::INTEGER)) AS step,
        j
    FROM range($journeys) AS r (j)
)
SELECT
    customer_id,
    journey_id,
    step::INTEGER AS step,
    begins + to_seconds(step * 600 * (1 + hash(j, step, 't') % 50)) AS event_time,
    ['product_view', 'product_list', 'search', 'article', 'add_to_cart', 'email_sent', 'home', 'checkout',
     'cart_view', 'address', 'store_locator', 'email_open', 'shipping', 'purchase', 'promotion',
     'support_ticket', 'ad_landing', 'payment', 'email_click', 'wishlist', 'order_review', 'coupon',
     'loyalty_club', 'order_status', 'return', 'review', 'share', 'bounce', 'unsubscribe', 'complaint'][
        1 + (30 * power((hash(j, step) % 1000000) / 1000000.0, 2.5))::INTEGER % 30] AS touchpoint,
    touchpoint = 'purchase' AS converts,
    CASE WHEN converts THEN 99.5 END::DECIMAL(18, 4) AS value,
    CASE WHEN converts THEN 'EUR' END AS currency
FROM drawn
ORDER BY customer_id, journey_id, step;

CREATE TABLE journeys AS
SELECT summed.*, CASE WHEN converted_at IS NOT NULL THEN 'converted'
    WHEN watermark - ended_at > INTERVAL 30 DAY THEN 'lapsed' ELSE 'open' END AS outcome
FROM (
    SELECT journey_id, any_value(customer_id) AS customer_id, count(*)::INTEGER AS touchpoints,
        min(event_time) AS started_at, max(event_time) AS ended_at,
        min(event_time) FILTER (converts) AS converted_at
    FROM touchpoints GROUP BY journey_id
) AS summed, settings;

CREATE TABLE sessions AS SELECT customer_id, started_at FROM journeys;
"""

_ASKED = {  # a macro: what somebody would write by hand for its main number
    "FROM funnel(['product_view', 'add_to_cart', 'purchase'], within := INTERVAL 7 DAY)": """
        SELECT count(DISTINCT a.journey_id), count(DISTINCT b.journey_id), count(DISTINCT c.journey_id)
        FROM touchpoints AS a
        LEFT JOIN touchpoints AS b ON b.journey_id = a.journey_id AND b.touchpoint = 'add_to_cart'
            AND b.step > a.step AND b.event_time <= a.event_time + INTERVAL 7 DAY
        LEFT JOIN touchpoints AS c ON c.journey_id = a.journey_id AND c.touchpoint = 'purchase'
            AND c.step > b.step AND c.event_time <= a.event_time + INTERVAL 7 DAY
        WHERE a.touchpoint = 'product_view'""",
    "FROM paths_from('product_view', 5)": """
        SELECT path, count(*) AS arrivals
        FROM (
            SELECT touchpoint, concat_ws(' > ', touchpoint, lead(touchpoint, 1) OVER w, lead(touchpoint, 2) OVER w,
                lead(touchpoint, 3) OVER w, lead(touchpoint, 4) OVER w, lead(touchpoint, 5) OVER w) AS path
            FROM touchpoints
            WINDOW w AS (PARTITION BY journey_id ORDER BY step)
        )
        WHERE touchpoint = 'product_view'
        GROUP BY path""",
    "FROM paths_to('purchase', 5)": """
        SELECT path, count(*) AS arrivals
        FROM (
            SELECT touchpoint, concat_ws(' > ', lag(touchpoint, 5) OVER w, lag(touchpoint, 4) OVER w,
                lag(touchpoint, 3) OVER w, lag(touchpoint, 2) OVER w, lag(touchpoint, 1) OVER w, touchpoint) AS path
            FROM touchpoints
            WINDOW w AS (PARTITION BY journey_id ORDER BY step)
        )
        WHERE touchpoint = 'purchase'
        GROUP BY path""",
    "FROM step_matrix(8)": "SELECT step, touchpoint, count(*) FROM touchpoints WHERE step <= 8 GROUP BY ALL",
    "FROM journeys_matching('product_view .* purchase')": """
        SELECT journey_id
        FROM (
            SELECT journey_id, string_agg(touchpoint, ' ' ORDER BY step) AS path
            FROM touchpoints
            GROUP BY journey_id
        )
        WHERE regexp_matches(path, 'product_view .*purchase')""",
    "FROM retention('week')": """
        WITH visits AS (SELECT DISTINCT customer_id, date_trunc('week', started_at) AS week FROM sessions),
        firsts AS (SELECT customer_id, min(week) AS cohort FROM visits GROUP BY ALL)
        SELECT cohort, week, count(*) FROM visits JOIN firsts USING (customer_id) GROUP BY ALL""",
    "FROM cohort('purchase', 'month')": """
        WITH firsts AS (
            SELECT customer_id, min(event_time) AS first_time
            FROM touchpoints
            WHERE touchpoint = 'purchase'
            GROUP BY ALL
        )
        SELECT date_trunc('month', first_time) AS cohort, date_trunc('month', event_time) AS month,
            count(DISTINCT customer_id), count_if(converts), sum(value) FILTER (converts)
        FROM touchpoints
        JOIN firsts USING (customer_id)
        WHERE event_time >= first_time
        GROUP BY ALL""",
    "FROM compare_periods(DATE '2026-02-01', DATE '2026-02-28', DATE '2026-03-01', DATE '2026-03-31')": """
        SELECT month(started_at) AS month, touchpoint, count(DISTINCT journey_id) AS reached
        FROM journeys
        JOIN touchpoints USING (journey_id)
        WHERE started_at::DATE BETWEEN DATE '2026-02-01' AND DATE '2026-03-31'
        GROUP BY ALL""",
}


def timed(con: duckdb.DuckDBPyConnection, query: str, runs: int) -> tuple[float, float, int]:
    """Least wall and processor seconds of some runs, and the rows."""
    walls, cpus, rows = [], [], 0
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        rows = len(con.execute(query).fetchall())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus), rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journeys", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        con = duckdb.connect(str(Path(folder) / "macros.duckdb"))
        con.execute(f"SET threads = {options.threads}; SET enable_progress_bar = false")
        for macro in statements("macros"):
            con.execute(macro.text)
        for text in _WORLD.split(";\n\n"):
            con.execute(text.replace("$journeys", str(options.journeys)))
        for table in ("journey_letters", "journey_walks"):
            con.execute(statement("tables", table).text)
        for macro in statements("table_macros"):
            con.execute(macro.text)
        con.execute("CHECKPOINT")
        ((rows, distinct),) = con.execute(
            "SELECT (SELECT count(*) FROM touchpoints), (SELECT count(DISTINCT walk) FROM journey_walks)"
        ).fetchall()
        print(f"{options.journeys:,} journeys, {distinct:,} distinct; {rows:,} touchpoints\n")
        print(
            "| query | wall, s | processor, s | rows | by hand: processor, s |\n|---|---|---|---|---|"
        )
        for query, by_hand in _ASKED.items():
            wall, cpu, found = timed(con, query, options.runs)
            _, hand, _ = timed(con, by_hand, options.runs)
            print(f"| `{query}` | {wall:.2f} | {cpu:.2f} | {found:,} | {hand:.2f} |", flush=True)


if __name__ == "__main__":
    main()
