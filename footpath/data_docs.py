"""Data Docs: pages of what was expected and found, one a suite, and an index.

The pages are what Great Expectations' own renderers make of its results. They are rendered directly: its site builder
would take its results through a store, in text and back, and compile its templates for every page, which takes longer
than to validate. What its pages load from public servers is left out, as nothing published here needs a network.
"""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

__all__ = ["DATA_DOCS", "write_data_docs"]

DATA_DOCS = Path("data_docs")
"""Folder of the pages, beside the database."""

_FOREIGN = re.compile(
    r"<link[^>]*>|<script[^>]*>.*?</script>|<img[^>]*>|<footer>.*?</footer>", re.DOTALL
)
_OTHER_PAGE = re.compile(r'href="(?:\.\./)+[^"]*"')
_STYLE = """<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left }
.navbar, .col-md-2, .modal, button { display: none }
.fa-check-circle::before { content: "✓" } .fa-times::before { content: "✗"; color: #d33 }
.badge { background: #8883; border-radius: .3rem; padding: 0 .3rem }
</style>"""


def write_data_docs(folder: Path, answers: Mapping[str, Sequence[Any]], run_id: str) -> None:
    """Write a page for every suite, and an index that names the broken ones first.

    Parameters
    ----------
    folder : Path
        Made if need be.
    answers : mapping of str to sequence of ExpectationValidationResult
        By suite. Values within become text of HTML.
    run_id : str
        Named in the pages.
    """
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    renderer, view = ValidationResultsPageRenderer(run_info_at_end=True), DefaultJinjaPageView()
    moment = datetime.now(UTC)
    (folder / "validations").mkdir(parents=True, exist_ok=True)
    told = []
    for name, results in answers.items():
        held = sum(bool(result.success) for result in results)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own affair
            page = view.render(renderer.render(_suite(name, results, held, run_id, moment)))
        page = _OTHER_PAGE.sub('href="../index.html"', _FOREIGN.sub("", page))
        page = page.replace("</head>", f"{_STYLE}</head>", 1)
        path = f"validations/{quote(name, safe='')}.html"
        (folder / path).write_text(page, encoding="utf-8")
        told.append((held == len(results), name, path, held, len(results)))
    (folder / "index.html").write_text(_index(sorted(told), run_id, moment), encoding="utf-8")


def _suite(name: str, results: Sequence[Any], held: int, run_id: str, moment: datetime) -> Any:
    """The results of a suite as Great Expectations' renderers take them."""
    from great_expectations.core import RunIdentifier
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
    )

    for result in results:  # the pages show values as they are
        result.result = _escaped(result.result)
        result.exception_info = _escaped(result.exception_info)
    return ExpectationSuiteValidationResult(
        success=held == len(results),
        results=list(results),
        suite_name=name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": held,
            "unsuccessful_expectations": len(results) - held,
            "success_percent": 100 * held / len(results),
        },
        meta={
            "run_id": RunIdentifier(run_name=run_id, run_time=moment),
            "validation_time": moment.isoformat(),
            "active_batch_definition": {
                "datasource_name": "footpath",
                "data_connector_name": "published",
                "data_asset_name": name,
                "batch_identifiers": {},
            },
        },
    )


def _index(told: Sequence[tuple[bool, str, str, int, int]], run_id: str, moment: datetime) -> str:
    rows = "\n".join(
        f'<tr><td>{"✓" if whole else "✗"}</td><td><a href="{quote(path)}">{html.escape(name)}</a></td>'
        f"<td>{held} of {asked}</td></tr>"
        for whole, name, path, held, asked in told
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>'
        f"{_STYLE}</head>\n<body><h1>Data Docs</h1>\n<p>Run {html.escape(run_id)}, "
        f"{moment:%Y-%m-%d %H:%M} UTC. Made by Great Expectations.</p>\n<table><tr><th></th>"
        f"<th>expected of</th><th>held</th></tr>\n{rows}\n</table></body></html>\n"
    )


def _escaped(value: Any) -> Any:
    """Text within a result as text of HTML, numbers and nulls as Python's own, for others are not shown."""
    from pandas import NA

    if value is NA:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list | tuple) else value
