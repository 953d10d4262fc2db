"""How the personas of the demo depend on knowing who is who.

    python benchmarks/persona_identities.py demo      # a folder made by 'footpath demo'

The demo plants five personas. Personas are found three times in the same touchpoints: of the
customers that footpath resolved; of those among them who are one person, whole; and of the planted
persons, with their planted journeys. What the second and third do not find, but the first does, are not
kinds of persons, but what could be seen of them: a browser without a login, an address, a till.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import pyarrow as pa
from sklearn.metrics import adjusted_rand_score

from contracts.config import Personas
from models.personas import apply_personas, fit_personas

_MATCHED = """
CREATE TABLE matched AS
SELECT t.journey_id, t.customer_id, t.step, t.touchpoint, t.channel, t.dwell_s, t.event_time,
       t.source, t.event_id, e.person_id, e.journey
FROM found.touchpoints t JOIN read_parquet('{truth}/events.parquet') e USING (source, event_id)
"""

_WHOLE = """
SELECT customer_id FROM matched GROUP BY customer_id HAVING count(DISTINCT person_id) = 1
INTERSECT
SELECT any_value(customer_id) FROM matched GROUP BY person_id HAVING count(DISTINCT customer_id) = 1
"""

_KINDS = {
    "customers as resolved": "SELECT * FROM matched",
    "customers who are one person, whole": f"SELECT * FROM matched WHERE customer_id IN ({_WHOLE})",
    "planted persons and journeys": """
SELECT 'j' || person_id || '-' || journey AS journey_id, 'c' || person_id AS customer_id, person_id,
       row_number() OVER one AS step, touchpoint, channel,
       epoch(lead(event_time) OVER one - event_time) AS dwell_s
FROM matched WINDOW one AS (PARTITION BY person_id, journey ORDER BY event_time, source, event_id)
""",
}

_KNOWN_BY = """
WITH known AS (
  SELECT customer_id, list(DISTINCT namespace) AS namespaces FROM found.identities GROUP BY customer_id
), planted AS (
  SELECT customer_id, mode(persona) AS persona
  FROM matched JOIN read_parquet('{persons}') USING (person_id) GROUP BY customer_id
)
SELECT p.name, mode(persona), list_max(map_values(histogram(persona))) / count(*), count(*),
       avg(CAST(namespaces = ['anonymous_id'] AS INTEGER)),
       avg(CAST(NOT list_contains(namespaces, 'anonymous_id') AS INTEGER))
FROM found.customer_personas c
JOIN known USING (customer_id)
JOIN planted USING (customer_id)
JOIN found.personas p ON p.persona_id = c.likeliest_id
GROUP BY p.name, p.place ORDER BY p.place
"""

_COLUMNS = "journey_id, customer_id, step, touchpoint, channel, dwell_s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    connection = duckdb.connect()
    database = folder / "warehouse" / "current" / "footpath.duckdb"
    connection.execute(f"ATTACH '{database}' AS found (READ_ONLY)")
    connection.execute(_MATCHED.format(truth=folder / "data" / "truth"))
    print("| personas of | customers | personas | grade | ARI, assigned journeys | assigned |")
    print("|---|---|---|---|---|---|")
    persons = folder / "data" / "truth" / "persons.parquet"
    for title, query in _KINDS.items():
        print(_told(connection, title, query, persons))
    print("\n| persona | mostly | of them | customers | known by a browser alone | by no browser |")
    print("|---|---|---|---|---|---|")
    for name, kind, share, *others in connection.sql(_KNOWN_BY.format(persons=persons)).fetchall():
        customers, browser, none = others
        print(f"| {name} | {kind} | {share:.0%} | {customers:,} | {browser:.0%} | {none:.0%} |")


def _told(connection: duckdb.DuckDBPyConnection, title: str, query: str, persons: Path) -> str:
    steps = connection.sql(f"SELECT {_COLUMNS} FROM ({query})").to_arrow_table()
    model = fit_personas(steps, Personas())
    empty = {"stage": pa.nulls(len(steps), pa.string()), "csat": pa.nulls(len(steps), pa.float64())}
    for name, values in empty.items():
        steps = steps.append_column(name, values)
    rows = apply_personas(model, steps).journeys
    planted, found = (
        connection.sql(
            f"""
        SELECT mode(p.persona), any_value(r.persona_id)
        FROM rows r JOIN ({query}) q USING (journey_id) JOIN read_parquet('{persons}') p USING (person_id)
        WHERE r.persona_id <> 'undetermined' GROUP BY r.journey_id
        """
        )
        .fetchnumpy()
        .values()
    )
    customers = len(set(steps["customer_id"].to_pylist()))
    return (
        f"| {title} | {customers:,} | {len(model.persona_ids)} | {model.grade} "
        f"| {adjusted_rand_score(planted, found):.2f} | {len(found) / rows.num_rows:.0%} |"
    )


if __name__ == "__main__":
    main()
