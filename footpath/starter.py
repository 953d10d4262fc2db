"""The starter configuration that ``footpath init`` writes, and the JSON Schema for editors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from contracts.config import Config
from contracts.errors import InputError

__all__ = ["json_schema", "write_starter"]

SCHEMA_NAME = "footpath.schema.json"


def write_starter(path: Path, schema: bool) -> Iterator[Path]:
    """Write a commented configuration, and its schema beside it; an existing file is never replaced.

    Raises
    ------
    InputError
        If the configuration is there already.
    """
    if path.exists():
        raise InputError(f"{path} is there already; name another file, or remove it first")
    path.parent.mkdir(parents=True, exist_ok=True)
    if schema:
        beside = path.with_name(SCHEMA_NAME)
        beside.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
        yield beside
    text = (resources.files("footpath") / "starter.yml").read_text("utf-8")
    path.write_text(text, encoding="utf-8")
    yield path


def json_schema() -> dict:
    """JSON Schema (2020-12) of the configuration."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "footpath.yml",
        **Config.model_json_schema(mode="validation"),
    }
