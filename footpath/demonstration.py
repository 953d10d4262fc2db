"""The demo: a generated retailer, run through everything."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from contracts.loading import load_config
from footpath.generator import Scenario, generate
from footpath.publication import results
from footpath.running import STAGES, run_stages

__all__ = ["demonstrate"]

CONFIG = """\
# The demo's configuration: four sources, each by a preset. See 'footpath init' for all that can be said.
project: Demo retailer
warehouse: warehouse
sources:
  web: {preset: segment, paths: data/web/*.jsonl}
  email: {preset: sendgrid, paths: data/email/*.jsonl}
  store: {preset: shopify, paths: data/store/*.jsonl}
  support:
    preset: zendesk
    paths: data/support/*.jsonl
    identifiers: {user_id: $.external_id}   # this shop keeps its login there
graph:
  segments: [persona, month, entry_channel, device]
"""


def demonstrate(folder: Path, events: int, seed: int) -> Iterator[str]:
    """Generate (unless the folder holds the data already), run, and say what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "footpath.yml"
    if not (folder / "data" / "truth" / "summary.json").exists():
        summary = generate(folder / "data", Scenario(events=events, seed=seed))
        yield f"generated {summary.events:,} events of {summary.persons:,} persons"
    if not config.exists():
        config.write_text(CONFIG, encoding="utf-8")
    os.environ.setdefault("FOOTPATH_KEY", _key(folder))
    loaded = load_config(config)
    run = run_stages(loaded, STAGES, ())
    yield from results(run.lake)


def _key(folder: Path) -> str:
    """A key of the demo's own, kept beside its data so that a second run finds the same pseudonyms."""
    file = folder / "key"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32), encoding="utf-8")
    return file.read_text("utf-8").strip()
