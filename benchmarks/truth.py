"""What footpath found in a generated world, held against what was planted there.

    python benchmarks/truth.py demo      # a folder made by 'footpath demo'

Everything is compared over the touchpoints that were published, of which the truth knows the person,
the session, the journey and the persona.

Nobody can tell that a browser is somebody's who never logged in on it. Recall of persons is therefore also given
over the pairs of events that *can be known* to be one person's (`knowable`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import adjusted_rand_score

_VIEWS = """
CREATE VIEW truth AS SELECT * FROM read_parquet('{truth}/events.parquet');
CREATE VIEW persons AS SELECT * FROM read_parquet('{truth}/persons.parquet');
CREATE TABLE matched AS
SELECT source, event_id, t.customer_id, t.session_id, t.journey_id, e.person_id, e.session, e.journey
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


_OWNED = """
CREATE OR REPLACE TABLE owned AS
WITH seen AS (
  UNPIVOT (SELECT e.source, e.event_id, t.person_id, t.session, {columns} FROM {events} e
           JOIN truth t USING (source, event_id)) ON {columns} INTO NAME namespace VALUE value
), exclusive AS (
  SELECT namespace, value, row_number() OVER () - 1 AS node FROM seen
  GROUP BY namespace, value HAVING count(DISTINCT person_id) = 1
)
SELECT source, event_id, person_id, session, namespace, value, node
FROM seen LEFT JOIN exclusive USING (namespace, value)
"""


def knowable(connection: duckdb.DuckDBPyConnection, events: str) -> None:
    """Make the table ``knowable`` (source, event_id, label): events of one person that data can tie have one label.

    An oracle that knows which identifiers are one person's alone follows these, and these only. An event that bears
    but a shared device's identifier is knowable if its person is authenticated in the same session there.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With a view ``truth`` of the planted events.
    events : str
        Name of the table `events`.
    """
    told = connection.execute(f"SELECT * FROM {events} LIMIT 0").description
    columns = ", ".join(name for name, *_ in told if name.startswith("id_"))
    connection.execute(_OWNED.format(events=events, columns=columns))
    edges = connection.execute(
        "SELECT min(node) OVER (PARTITION BY source, event_id) AS a, node AS b FROM owned WHERE node IS NOT NULL"
    ).fetchnumpy()
    size = int(edges["b"].max()) + 1
    graph = coo_array(
        (np.ones(len(edges["a"]), np.int8), (edges["a"], edges["b"])), shape=(size, size)
    )
    labels = {"node": np.arange(size), "label": connected_components(graph, directed=False)[1]}
    connection.register("labels", labels)
    connection.execute(
        """
        CREATE OR REPLACE TABLE knowable AS
        WITH own AS (
          SELECT source, event_id, any_value(label) AS label FROM owned JOIN labels USING (node) GROUP BY ALL
        ), authenticated AS (
          SELECT person_id, session, value, min(label) AS label
          FROM owned JOIN own USING (source, event_id) WHERE node IS NULL GROUP BY ALL
        ), on_shared AS (
          SELECT source, event_id, min(authenticated.label) AS label
          FROM owned JOIN authenticated USING (person_id, session, value)
          ANTI JOIN own USING (source, event_id) GROUP BY ALL
        )
        FROM own UNION ALL FROM on_shared
        """
    )
    connection.unregister("labels")


def pairwise(connection: duckdb.DuckDBPyConnection, found: str, true: str) -> tuple[float, float]:
    """Precision and recall over pairs of rows of ``matched``."""
    ((precision, recall),) = connection.sql(_PAIRS.format(found=found, true=true)).fetchall()
    return precision, recall


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
        precision, recall = pairwise(connection, found, true)
        ((exact, planted),) = connection.sql(_EXACT.format(found=found, true=true)).fetchall()
        print(
            f"{title}: pairwise precision {precision:.4f}, recall {recall:.4f}; "
            f"{exact:,} of {planted:,} ({exact / planted:.1%}) recovered exactly"
        )
    knowable(connection, "found.events")
    connection.execute(
        "ALTER TABLE matched RENAME TO everything; "
        "CREATE TABLE matched AS FROM everything JOIN knowable USING (source, event_id)"
    )
    precision, _ = pairwise(connection, "customer_id", "person_id")
    _, recall = pairwise(connection, "customer_id", "label")
    print(
        f"persons, events whose owner can be known: precision {precision:.4f}, recall {recall:.4f}"
    )
    labels = connection.sql(
        """
        SELECT persona, persona_id FROM (
          SELECT journey_id, mode(persona) AS persona FROM everything JOIN persons USING (person_id) GROUP BY ALL
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
