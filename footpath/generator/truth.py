"""The planted truth, written beside the data as Parquet tables.

============  ================================================================================
table         grain (one row per)
============  ================================================================================
persons       person, whether or not anything of theirs can be recognised
identifiers   written form of an identifier and its owner; a household's tablet has two owners,
              a kiosk has one row without an owner
events        distinct event: who, which session and journey, which touchpoint
defects       flaw of a record: malformed, duplicate, future, late, or a null-like identifier
pain_points   planted pain point, with the number of events at which it struck
touchpoints   touchpoint: its source, stage and look
============  ================================================================================

Records of the kinds ``malformed`` and ``future`` are no events: they are not in ``events``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from footpath.generator.feeds import Chunk, Feed, lookup
from footpath.generator.lines import Kind, Records
from footpath.generator.personas import PERSONAS
from footpath.generator.population import KIOSK_SLOT, SLOTS_PER_PERSON
from footpath.generator.scenario import DEVICE_TYPES, Scenario
from footpath.generator.touchpoints import LOGIN, PRE_PURCHASE, TOUCHPOINTS
from footpath.generator.walk import Steps

__all__ = ["TruthWriter", "defects", "events", "identifiers", "pain_points", "persons"]
__all__ += ["touchpoints"]

_TEXT = pa.dictionary(pa.int32(), pa.string())

SCHEMAS: dict[str, pa.Schema] = {
    "persons": pa.schema(
        [
            ("person_id", pa.int64()),
            ("persona", _TEXT),
            ("user_id", pa.string()),
            ("email", pa.string()),
            ("phone", pa.string()),
            ("n_devices", pa.int8()),
            ("household_id", pa.int64()),
            ("consent", pa.bool_()),
        ]
    ),
    "identifiers": pa.schema(
        [
            ("namespace", pa.string()),
            ("raw", pa.string()),
            ("value", pa.string()),
            ("person_id", pa.int64()),
        ]
    ),
    "events": pa.schema(
        [
            ("source", _TEXT),
            ("event_id", pa.string()),
            ("person_id", pa.int64()),
            ("session", pa.int16()),
            ("journey", pa.int16()),
            ("touchpoint", _TEXT),
            ("event_time", pa.timestamp("us", tz="UTC")),
            ("device_type", _TEXT),
            ("consent", pa.bool_()),
            ("is_pain_hit", pa.bool_()),
            ("pain_point", _TEXT),
        ]
    ),
    "defects": pa.schema(
        [
            ("source", pa.string()),
            ("file", pa.string()),
            ("line", pa.int64()),
            ("position", pa.int64()),
            ("event_id", pa.string()),
            ("kind", pa.string()),
            ("detail", pa.string()),
        ]
    ),
}
