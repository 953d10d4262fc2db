"""How long the macros take on many journeys: wall and processor seconds of each, on one database.

Journeys of about five touchpoints out of thirty are drawn by SQL from a fixed seed, as a published database has them;
nothing else of a warehouse is needed by the macros.

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

_ASKED = (
    "FROM funnel(['product_view', 'add_to_cart', 'purchase'], within := INTERVAL 7 DAY)",
    "FROM paths_from('product_view', 5)",
    "FROM paths_to('purchase', 5)",
    "FROM step_matrix(8)",
    "FROM journeys_matching('product_view .* purchase')",
    "FROM retention('week')",
    "FROM cohort('purchase', 'month')",
    "FROM compare_periods(DATE '2026-02-01', DATE '2026-02-28', DATE '2026-03-01', DATE '2026-03-31')",
)


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
        print("| query | wall, s | processor, s | rows |\n|---|---|---|---|")
        for query in _ASKED:
            walls, cpus = [], []
            for _ in range(options.runs):
                wall, cpu = time.perf_counter(), time.process_time()
                found = len(con.execute(query).fetchall())
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
            print(f"| `{query}` | {min(walls):.2f} | {min(cpus):.2f} | {found:,} |", flush=True)


if __name__ == "__main__":
    main()
