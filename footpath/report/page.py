"""Put the page together: data, styles, modules and chart library in one file that needs no network.

The page holds the data as JSON and builds itself from it in the browser, from text alone: no field
ever becomes markup. Its content security policy forbids every request and every script but its own
two, known by their hashes, so that nothing a field holds could run.

The modules in ``page/`` are plain ES modules. Here they become one script, a function for each, since a
page opened from a disk may import nothing. That is why an import stands on one line, and an export
before a function or a constant.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from footpath.report.content import gather

__all__ = ["build_report"]

_SOURCES = Path(__file__).resolve().parent / "page"
_CHARTS = Path(__file__).resolve().parent / "vendor" / "echarts.js"
_MODULES = (
    "dom", "wording", "data", "figures", "evidence", "charts", "person", "map", "flow", "journeys",
    "personas", "findings", "health", "main",
)  # fmt: skip
"""In an order in which each comes after those that it imports."""
_PAGES = {
    "data dictionary and lineage": "dictionary/dictionary.html",
    "what is expected of every table (Data Docs)": "data_docs/index.html",
}
"""Of a published version; the report links those that lie beside it."""


def build_report(db_path: Path, out: Path, title: str, before: Path | None = None) -> Path:
    """Write the report of a published database as one HTML file.

    Parameters
    ----------
    db_path : Path
        A ``footpath.duckdb``.
    out : Path
        The file to write; its folder is made. A reader sees the old page or the new one.
    title : str
        Name of the project, shown at the head.
    before : Path, optional
        The database of the version before, to tell what changed.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        There is no database at `db_path`.
    """
    html = _render(gather(db_path, before), title, _beside(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    unfinished.write_text(html, encoding="utf-8")
    os.replace(unfinished, out)
    return out


def _beside(out: Path) -> list[tuple[str, str]]:
    """Names and relative addresses of the other pages of the version that are there."""
    return [
        (label, f"../{page}")
        for label, page in _PAGES.items()
        if (out.parent.parent / page).exists()
    ]


def _render(content: dict[str, Any], title: str, beside: list[tuple[str, str]]) -> str:
    environment = Environment(
        loader=FileSystemLoader(_SOURCES), autoescape=True, undefined=StrictUndefined
    )
    charts = _CHARTS.read_text(encoding="utf-8") if content["moves"]["rows"] else ""
    script = "\n".join(["const modules = {};", *map(_module, _MODULES)])
    return environment.get_template("page.html.j2").render(
        title=title,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src {_hash(charts)} {_hash(script)}",
        style=Markup((_SOURCES / "page.css").read_text(encoding="utf-8")),
        data=Markup(_json({"title": title, "beside": beside, "tables": content})),
        charts=Markup(charts),
        script=Markup(script),
    )


def _module(name: str) -> str:
    """A module as a function's body, whose imports are the results of the ones before it."""
    text = (_SOURCES / f"{name}.js").read_text(encoding="utf-8")
    text = re.sub(
        r'^import (\{.*\}) from "\./(\w+)\.js";$', r"const \1 = modules.\2;", text, flags=re.M
    )
    given = ", ".join(re.findall(r"^export (?:async )?(?:const|function) (\w+)", text, flags=re.M))
    body = re.sub(r"^export ", "", text, flags=re.M)
    return f"modules.{name} = (() => {{\n{body}\nreturn {{ {given} }};\n}})();"


def _hash(script: str) -> str:
    """A script's hash as a content security policy names it."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(value: Any) -> str:
    r"""JSON that cannot end a script element.

    >>> _json({"a": "</script>"})
    '{"a":"\\u003c/script>"}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
