"""Whether footpath's warehouse and a rival's folder hold the same tables, row for row.

Tables are compared by their number of rows and a sum of hashes over all rows, whatever their order. Names that each
gives in its own way (ids of sessions and journeys) are left out: what they hold together is compared.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from contracts.lake import Lake

__all__ = ["verify"]

_TABLES = ("events", "dead_letters", "quarantine", "identities", "touchpoints", "sessions")
_JOURNEY_TABLES = ("journeys", "transitions")

_AGREEMENT = {
    "events": """SELECT count(*), sum(hash(event_id, event_time, ingest_time, event_type, page,
        transaction_id, "value", currency, id_user_id, id_email, id_anonymous_id, device, campaign
        )::HUGEINT) FROM {events}""",
    "dead letters": 'SELECT count(*), sum(hash("position")::HUGEINT) FROM {dead_letters}',
    "quarantine": "SELECT count(*), sum(hash(event_id)::HUGEINT) FROM {quarantine}",
    "identifiers": """SELECT count(*), sum(hash(namespace::VARCHAR, "value", customer_id,
        first_seen, last_seen, events)::HUGEINT) FROM {identities}""",
    "customers": "SELECT count(DISTINCT customer_id), 0 FROM {identities}",
    "touchpoints": """SELECT count(*), sum(hash(customer_id, event_time, event_id, touchpoint,
        stage, session_step)::HUGEINT) FROM {touchpoints}""",
    "sessions": """SELECT count(*), sum(hash(customer_id, started_at, ended_at, touchpoints,
        entry_touchpoint, exit_touchpoint, session_duration_s, converted,
        "value"::DECIMAL(18, 4), device, campaign)::HUGEINT) FROM {sessions}""",
}
_JOURNEY_AGREEMENT = {
    "steps": """SELECT count(*), sum(hash(customer_id, event_time, event_id, step, dwell_s, converts
        )::HUGEINT) FROM {touchpoints}""",
    "journeys": """SELECT count(*), sum(hash(customer_id, started_at, ended_at, touchpoints,
        entry_touchpoint, exit_touchpoint, sessions, channels, converted, converted_at,
        "value"::DECIMAL(18, 4), path, device, campaign)::HUGEINT) FROM {journeys}""",
    "transitions": """SELECT count(*), sum(hash(level, segment, segment_value, source_node,
        target_node, "count", journeys, customers, denominator, settled, round(probability, 9),
        round(probability_low, 9), round(probability_high, 9))::HUGEINT) FROM {transitions}""",
}


def verify(warehouse: Path, out: Path, journeys: bool) -> None:
    """Fail unless footpath's warehouse and a rival's folder hold the same tables, on demand those of journeys too."""
    lake = Lake(warehouse)
    manifest = lake.draft()
    names = _TABLES + _JOURNEY_TABLES * journeys
    files = {name: [str(path) for path in lake.paths(manifest, name)] for name in names}
    ours = {
        name: f"read_parquet({paths}, hive_partitioning=false)" for name, paths in files.items()
    }
    theirs = {name: f"read_parquet('{out}/{name}*.parquet')" for name in names[1:]}
    theirs["events"] = f"read_parquet('{out}/events/**/*.parquet')"
    agreement = _AGREEMENT | (_JOURNEY_AGREEMENT if journeys else {})
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for what, sql in agreement.items():
            mine = connection.sql(sql.format(**ours)).fetchall()[0]
            other = connection.sql(sql.format(**theirs)).fetchall()[0]
            if mine != other:
                rival = out.parent.name
                raise SystemExit(f"footpath and {rival} disagree on {what}: {mine}, {other}")
            print(f"footpath and {out.parent.name} agree on {mine[0]:,} {what}", flush=True)
