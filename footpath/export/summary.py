"""The findings as JSON, for other programs.

``format`` is 1; it is raised when a key changes its meaning or goes. Times are ISO 8601, UTC; shares are
0..1; money is in the unit that stands beside it; what is not known is null.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

from footpath.export.content import Content

__all__ = ["to_json"]

_FORMAT = 1


def to_json(content: Content) -> str:
    """Write project, measures, stages, findings and personas, as the database has them."""
    told = {
        "format": _FORMAT,
        "project": content.project,
        "watermark": content.watermark,
        **{name: content.rows[name] for name in ("measures", "stages", "findings", "personas")},
    }
    return json.dumps(told, default=_plain, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a datetime is one
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{value!r} has no form in JSON")
