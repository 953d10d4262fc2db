"""What footpath found in a generated world, held against what was planted there.

    python benchmarks/truth.py demo      # a folder made by 'footpath demo'

Everything is compared over the touchpoints that were published, of which the truth knows the person,
the session, the journey and the persona.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
from sklearn.metrics import adjusted_rand_score

_VIEWS = """
CREATE VIEW truth AS SELECT * FROM read_parquet('{truth}/events.parquet');
CREATE VIEW persons AS SELECT * FROM read_parquet('{truth}/persons.parquet');
CREATE TABLE matched AS
SELECT t.customer_id, t.session_id, t.journey_id, e.person_id, e.session, e.journey
FROM found.touchpoints t JOIN truth e USING (source, event_id);
"""

_PAIRS = """
WITH cells AS (SELECT {found} AS f, {true} AS t, count(*) AS n FROM matched GROUP BY ALL),
pairs AS (
  SELECT
    (SELECT sum(n * (n - 1) / 2) FROM cells) AS together,
    (SELECT sum(n * (n - 1) / 2) FROM (SELECT sum(n) AS n FROM cells GROUP BY f)) AS found,
    (SELECT sum(n * (n - 1) / 2) FROM (SELECT sum(n) AS n FROM cells GROUP BY t)) AS planted
)
SELECT together / found, together / planted FROM pairs
"""

_EXACT = """
WITH cells AS (SELECT {found} AS f, {true} AS t, count(*) AS n FROM matched GROUP BY ALL)
SELECT count(*) FILTER (pieces = 1 AND owners = 1), count(*) FROM (
  SELECT t, count(*) AS pieces, any_value(alone) AS owners
  FROM cells JOIN (SELECT f, count(*) AS alone FROM cells GROUP BY f) USING (f) GROUP BY t
)
"""


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    connection = duckdb.connect()
    database = folder / "warehouse" / "current" / "footpath.duckdb"
    connection.execute(f"ATTACH '{database}' AS found (READ_ONLY)")
    connection.execute(_VIEWS.format(truth=folder / "data" / "truth"))
    for title, found, true in (
        ("persons", "customer_id", "person_id"),
        ("sessions", "session_id", "(person_id, session)"),
        ("journeys", "journey_id", "(person_id, journey)"),
    ):
        ((precision, recall),) = connection.sql(_PAIRS.format(found=found, true=true)).fetchall()
        ((exact, planted),) = connection.sql(_EXACT.format(found=found, true=true)).fetchall()
        print(
            f"{title}: pairwise precision {precision:.4f}, recall {recall:.4f}; "
            f"{exact:,} of {planted:,} ({exact / planted:.1%}) recovered exactly"
        )
    labels = connection.sql(
        """
        SELECT persona, persona_id FROM (
          SELECT journey_id, mode(persona) AS persona FROM matched JOIN persons USING (person_id) GROUP BY ALL
        ) JOIN found.journey_personas USING (journey_id) WHERE persona_id <> 'undetermined'
        ORDER BY journey_id
        """
    ).fetchall()
    ((journeys,),) = connection.sql("SELECT count(*) FROM found.journeys").fetchall()
    agreement = adjusted_rand_score([a for a, _ in labels], [b for _, b in labels])
    print(
        f"personas: {len({b for _, b in labels})} found, {len({a for a, _ in labels})} planted; "
        f"agreement (ARI) {agreement:.2f} over the {len(labels):,} of {journeys:,} journeys with a persona"
    )
    for rank, sentence in connection.sql(
        "SELECT rank, sentence FROM found.pain_points ORDER BY rank"
    ).fetchall():
        print(f"pain point {rank}: {sentence}")


if __name__ == "__main__":
    main()
