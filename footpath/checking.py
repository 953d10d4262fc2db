"""``footpath check``: the configuration, the lake, and the published numbers, one line a check."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.config import Config
from contracts.errors import CheckFailed
from contracts.lake import Lake

__all__ = ["check_project"]


def check_project(config: Config) -> Iterator[str]:
    """Check everything there is to check; lines to print.

    Raises
    ------
    ConfigError
        If DuckDB refuses an expression of a source.
    InputError
        If a source's paths match nothing.
    CheckFailed
        If the lake lacks a file or a published number does not agree with another.
    """
    from models.source_sql import compile_mapping
    from transforms.plan_files import list_files

    for name in config.sources:
        compile_mapping(name, config)
    files = list_files(config)
    yield f"ok     configuration: {len(config.sources)} sources, {len(config.touchpoints)} rules"
    yield f"ok     input: {len(files)} files, {sum(file.bytes for file in files):,} bytes"
    lake = Lake(config.warehouse)
    manifest = lake.published()
    if not manifest.version:
        yield f"nothing is published yet in {lake.root}; run 'footpath run'"
        return
    missing = [p for t in manifest.tables for p in lake.paths(manifest, t) if not p.exists()]
    if missing:
        raise CheckFailed(
            f"{len(missing)} files of version {manifest.version} are gone, first {missing[0]}; "
            "bring them back, or delete the warehouse and run again"
        )
    yield f"ok     lake: version {manifest.version}, {sum(map(len, manifest.tables.values()))} files"
    yield from _published(lake)


def _published(lake: Lake) -> Iterator[str]:
    from footpath.drifting import drift_results
    from sql.check import run_checks

    results = run_checks(lake.current / "footpath.duckdb")
    for result in results:
        yield f"{'ok    ' if result.passed else 'BROKEN'} {result.name}: {result.promise}"
    for result in drift_results(lake.published()):
        yield f"{'ok    ' if result.passed else 'told  '} {result.name}: {result.promise}"
        yield from (f"       {example}" for example in result.examples)
    failed = [result for result in results if not result.passed]
    if failed:
        raise CheckFailed("\n".join(str(result) for result in failed))
    yield f"all {len(results)} checks of the published numbers hold"
