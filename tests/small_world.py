"""A small project's lake, whole and consistent, for tests of what is published from it.

Customers walk a hand-written chain of touchpoints with a planted pain point at
``checkout_shipping``; every table of the lake is then derived from their events by
``small_world.sql``, which is written for tests alone and shares nothing with the pipelines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.schemas import TABLES, table_schema
from sql.publish import publish_database

__all__ = ["SETTINGS", "publish_small_world", "small_world", "write_lake"]

STAGES = ("awareness", "consideration", "purchase", "service", "loyalty", "advocacy")
NAMESPACES = ("user_id", "email")
ATTRIBUTES = ("device",)
WATERMARK = datetime(2025, 7, 1, tzinfo=UTC)
GAP = timedelta(days=30)
SETTINGS = {
    "watermark": WATERMARK,
    "journey_gap": GAP,
    "stages": STAGES,
    "namespaces": NAMESPACES,
    "attributes": ATTRIBUTES,
    "contacts": ("support_ticket",),
}

_PLACES = {  # touchpoint: (stage, source, channel)
    "ad_click": ("awareness", "web", "ads"),
    "newsletter_open": ("awareness", "mail", "email"),
    "landing_page": ("awareness", "web", "web"),
    "search": ("consideration", "web", "web"),
    "product_view": ("consideration", "web", "web"),
    "newsletter_click": ("consideration", "mail", "email"),
    "store_advice": ("consideration", "shop", "store"),
    "add_to_cart": ("purchase", "web", "web"),
    "checkout_shipping": ("purchase", "web", "web"),
    "checkout_payment": ("purchase", "web", "web"),
    "purchase": ("purchase", "web", "web"),
    "store_purchase": ("purchase", "shop", "store"),
    "support_ticket": ("service", "desk", "support"),
    "store_return": ("service", "shop", "store"),
    "points_redeemed": ("loyalty", "web", "web"),
    "review_written": ("advocacy", "web", "social"),
    "referral_sent": ("advocacy", "mail", "email"),
}

_MOVES = {  # node: {next node: weight}; '' ends the journey
    "START": {
        "ad_click": 4,
        "newsletter_open": 3,
        "landing_page": 4,
        "search": 2,
        "store_advice": 2,
    },
    "ad_click": {"landing_page": 5, "product_view": 3, "": 2},
    "newsletter_open": {"newsletter_click": 5, "newsletter_open": 2, "": 3},
    "landing_page": {"search": 4, "product_view": 4, "newsletter_open": 1, "": 2},
    "search": {"product_view": 7, "search": 2, "": 1},
    "newsletter_click": {"product_view": 6, "store_advice": 1, "": 1},
    "product_view": {"product_view": 3, "search": 1, "add_to_cart": 4, "store_advice": 1, "": 1},
    "store_advice": {"store_purchase": 5, "product_view": 2, "": 2},
    "add_to_cart": {"checkout_shipping": 7, "product_view": 2, "": 1},
    "checkout_shipping": {"checkout_payment": 5, "support_ticket": 1, "": 5},
    "checkout_payment": {"purchase": 8, "support_ticket": 1, "": 1},
    "purchase": {"": 5, "support_ticket": 2, "points_redeemed": 1, "review_written": 1},
    "store_purchase": {"": 5, "store_return": 1, "points_redeemed": 2},
    "support_ticket": {"": 3, "support_ticket": 1, "store_return": 1, "product_view": 1},
    "store_return": {"": 4, "store_advice": 1},
    "points_redeemed": {"": 2, "referral_sent": 1, "review_written": 1},
    "review_written": {"": 3, "referral_sent": 1},
    "referral_sent": {"": 1},
}

_CONVERSIONS = ("purchase", "store_purchase")


def small_world(customers: int = 300, seed: int = 7) -> dict[str, pa.Table]:
    """Every table of the lake for a number of customers, by name."""
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.register("walked", _walk(customers, np.random.default_rng(seed)))
    con.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    return {
        name: _typed(con.sql(f"SELECT * FROM {name}").to_arrow_table(), name)
        for (name,) in con.sql("SELECT table_name FROM duckdb_tables()").fetchall()
        if name in TABLES
    }


def write_lake(
    folder: Path, tables: Mapping[str, pa.Table], parts: int = 2
) -> dict[str, list[Path]]:
    """Each table as `parts` Parquet files under `folder`; the files of each."""
    files: dict[str, list[Path]] = {}
    for name, table in tables.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        cuts = np.linspace(0, table.num_rows, parts + 1).astype(int).tolist()
        for number, (begin, end) in enumerate(pairwise(cuts)):
            path = folder / name / f"{number}.parquet"
            pq.write_table(table.slice(begin, end - begin), path)
            files.setdefault(name, []).append(path)
    return files


def publish_small_world(folder: Path, customers: int = 300) -> Path:
    """A published database of `small_world` in `folder`."""
    path = folder / "footpath.duckdb"
    files = write_lake(folder / "tables", small_world(customers)) if customers else {}
    publish_database(path, files, **SETTINGS)
    return path


def _typed(table: pa.Table, name: str) -> pa.Table:
    """The table with its declared columns and types; what this world does not tell is null."""
    schema = table_schema(name, NAMESPACES, ATTRIBUTES)
    untold = [column for column in schema if column.name not in table.column_names]
    for column in untold:
        table = table.append_column(column, pa.nulls(table.num_rows, column.type))
    return table.select(schema.names).cast(schema)


def _walk(customers: int, rng: np.random.Generator) -> pa.Table:
    """Rows (customer, journey, step, event_time, touchpoint, ...) of every customer's journeys."""
    rows: dict[str, list[object]] = {
        name: []
        for name in ("customer", "journey", "event_time", "touchpoint", "stage", "source",
                     "channel", "device", "value", "csat")
    }  # fmt: skip
    for customer in range(customers):
        device = ("mobile", "desktop", None)[rng.choice(3, p=[0.5, 0.4, 0.1])]
        at = WATERMARK - timedelta(days=float(rng.uniform(20, 180)))
        for journey in range(int(rng.integers(1, 4))):
            for touchpoint in _path(rng):
                if at > WATERMARK:
                    break
                stage, source, channel = _PLACES[touchpoint]
                sold = touchpoint in _CONVERSIONS
                asked = touchpoint in ("support_ticket", *_CONVERSIONS) and rng.random() < 0.5
                mood = 0.45 if touchpoint == "support_ticket" else 0.85
                value = round(float(rng.lognormal(3.5, 0.5)), 2) if sold else None
                csat = float(np.clip(rng.normal(mood, 0.15), 0, 1).round(2)) if asked else None
                row = (customer, journey, at, touchpoint, stage, source, channel, device)
                for name, told in zip(rows, (*row, value, csat), strict=True):
                    rows[name].append(told)
                at += timedelta(seconds=float(rng.lognormal(5 if rng.random() < 0.8 else 11, 1)))
            at += GAP + timedelta(days=float(rng.uniform(0.1, 40)))
    return pa.table(rows)


def _path(rng: np.random.Generator) -> list[str]:
    path: list[str] = []
    node = "START"
    while len(path) < 40:
        following: Sequence[str] = list(_MOVES[node])
        weights = np.array([_MOVES[node][name] for name in following], dtype=float)
        node = following[int(rng.choice(len(following), p=weights / weights.sum()))]
        if not node:
            break
        path.append(node)
    return path
