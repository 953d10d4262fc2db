"""The command line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import FootpathError, InputError
from footpath.options import CONFIG, BeamArguments, ConfigOption, DateOption, database, load
from footpath.subcommands import identity_app, privacy_app, quarantine_app

if TYPE_CHECKING:
    from contracts.config import Config
    from pipelines.job import Reprocess, Run

__all__ = ["app", "main"]

_EPILOG = (
    "Exit codes: 0 done, 1 unexpected error, 2 wrong usage, 3 configuration, 4 input missing, "
    "5 a check failed and nothing was published, 6 the warehouse is locked, "
    "7 a stage before this one is missing, 8 the Beam runner is refused, "
    "9 a newer footpath wrote the warehouse, 10 a source lost a required field."
)

app = typer.Typer(
    name="footpath",
    help="Customer journey maps, measured: from raw touchpoint events to sessions, journeys, a stage "
    "graph, personas and pain points, in one DuckDB database and one report.\n\n"
    "Start with [bold]footpath demo[/bold], or [bold]footpath init[/bold] and then "
    "[bold]footpath run[/bold].",
    epilog=_EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_LOG = logging.getLogger("footpath")


class LogFormat(StrEnum):
    """How progress is told."""

    TEXT = "text"
    JSON = "json"


class ExportFormat(StrEnum):
    """What `footpath export` writes."""

    SVG = "svg"
    PNG = "png"
    PDF = "pdf"
    MERMAID_JOURNEY = "mermaid-journey"
    MERMAID_FLOWCHART = "mermaid-flowchart"
    DRAWIO = "drawio"
    LUCIDCHART = "lucidchart"
    GRAPHML = "graphml"
    DOT = "dot"
    JSON = "json"


@app.callback()
def _common(
    context: typer.Context,
    log_format: Annotated[
        LogFormat, typer.Option(help="Log lines on stderr: text, or JSON for schedulers.")
    ] = LogFormat.TEXT,
) -> None:
    from footpath.console import configure_logging

    configure_logging(log_format)
    context.obj = log_format


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = CONFIG,
    schema: Annotated[
        bool, typer.Option(help="Write the JSON Schema for editors beside it.")
    ] = True,
) -> None:
    """Write a commented starter configuration."""
    from footpath.starter import write_starter

    for written in write_starter(path, schema):
        typer.echo(f"wrote {written}")


@app.command()
def generate(
    out: Annotated[Path, typer.Argument(help="Folder for the raw files and the truth.")],
    events: Annotated[int, typer.Option(help="Distinct events, about.", min=1_000)] = 200_000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    days: Annotated[int, typer.Option(help="Length of the period.", min=2)] = 180,
    web_only: Annotated[bool, typer.Option(help="A pure clickstream.")] = False,
) -> None:
    """Generate a plausible retailer: raw files in four vendors' formats, with planted truth."""
    from footpath.console import progress
    from footpath.generator import Scenario
    from footpath.generator import generate as write

    scenario = Scenario(events=events, seed=seed, days=days)
    if web_only:
        scenario = replace(scenario, channels=("web",))
    try:
        with progress(1) as step:
            step("generate")
            summary = write(out, scenario)
    except FileExistsError as error:
        raise InputError(str(error)) from None
    typer.echo(f"{summary.events:,} events of {summary.persons:,} persons in {out}")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("demo"),
    events: Annotated[int, typer.Option(help="Distinct events, about.", min=1_000)] = 200_000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
) -> None:
    """Generate a retailer, run everything on it, and print the main findings."""
    from footpath.demonstration import demonstrate

    for line in demonstrate(folder, events, seed):
        typer.echo(line)


@app.command()
def run(
    context: typer.Context,
    config: ConfigOption = CONFIG,
    beam: BeamArguments = None,
    day: DateOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what a run would do, and why; do nothing.")
    ] = False,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Read every file anew and compute everything.")
    ] = False,
) -> None:
    """Run everything that new files or a changed configuration call for, and publish."""
    if explain:
        _explain(context.obj, load(config, day), beam or [], full_refresh)
        return
    from footpath.publication import results
    from footpath.running import STAGES

    done = _run(context.obj, load(config, day), STAGES, beam, full_refresh)
    if context.obj is LogFormat.TEXT:
        typer.echo("\n".join(results(done.lake)))


@app.command()
def reprocess(
    context: typer.Context,
    since: Annotated[
        datetime,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="The first day (UTC) whose records the mended declaration may read otherwise.",
        ),
    ],
    source: Annotated[str, typer.Option("--source", help="The source that was mended.")],
    config: ConfigOption = CONFIG,
    beam: BeamArguments = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what would be read again; do nothing.")
    ] = False,
) -> None:
    """Read a source's files again from a day on, after its declaration was mended, and publish what follows."""
    from footpath.reprocessing import ordered, outcome

    loaded = load(config)
    order = ordered(loaded, source, since.date())
    if explain:
        _explain(context.obj, loaded, beam or [], reprocess=order)
        return
    from footpath.running import STAGES

    done = _run(context.obj, loaded, STAGES, beam, reprocess=order)
    if context.obj is LogFormat.TEXT:
        typer.echo("\n".join(outcome(done, source)))


def _run(
    log_format: LogFormat,
    config: Config,
    stages: Sequence[str],
    beam: list[str] | None,
    full_refresh: bool = False,
    reprocess: Reprocess | None = None,
) -> Run:
    """Run stages; the last line for schedulers is what was done, as JSON."""
    from footpath.observing import summary
    from footpath.running import run_stages

    done = run_stages(config, stages, beam or [], full_refresh, reprocess)
    if log_format is LogFormat.JSON:
        typer.echo(json.dumps(summary(done)))
    return done


def _explain(
    log_format: LogFormat,
    config: Config,
    beam: list[str],
    full_refresh: bool = False,
    reprocess: Reprocess | None = None,
) -> None:
    from footpath.planning import explain, told
    from pipelines.job import Run

    run = Run.begin(config, beam, full_refresh, reprocess)
    plans = list(explain(run))
    if log_format is LogFormat.JSON:
        typer.echo(json.dumps([asdict(plan) for plan in plans]))
    else:
        typer.echo("\n".join(told(run, plans)))


@app.command(rich_help_panel="One stage alone")
def ingest(
    context: typer.Context,
    config: ConfigOption = CONFIG,
    beam: BeamArguments = None,
    day: DateOption = None,
) -> None:
    """Read new files: events, dead letters, quarantine, ledger."""
    _run(context.obj, load(config, day), ("ingest",), beam)


def _stage_command(name: str, text: str) -> None:
    def command(
        context: typer.Context, config: ConfigOption = CONFIG, beam: BeamArguments = None
    ) -> None:
        _run(context.obj, load(config), (name,), beam)

    command.__doc__ = text
    app.command(name, rich_help_panel="One stage alone")(command)


_stage_command("resolve", "Find out who is who: identities.")
_stage_command("sessionize", "Order and cut: touchpoints and sessions.")
_stage_command("journeys", "Summarise journeys.")
_stage_command("graph", "Count transitions: stages, transitions, attribution, pain points.")
_stage_command("personas", "Cluster journeys: personas.")
_stage_command("publish", "Build the database and the report, check them, switch to them.")


@app.command(rich_help_panel="One stage alone")
def report(config: ConfigOption = CONFIG) -> None:
    """Build the report of the published version again."""
    from footpath.report import build_report

    published = database(config)
    version = published.resolve().parent
    before = sorted(
        path for path in version.parent.glob(f"*/{published.name}") if path.parent < version
    )
    page = build_report(
        published,
        published.parent / "report" / "index.html",
        load(config).project,
        before[-1] if before else None,
    )
    typer.echo(str(page))


@app.command()
def check(config: ConfigOption = CONFIG) -> None:
    """Prove that the configuration is right, the lake whole, and every published number true to the others."""
    from footpath.checking import check_project

    for line in check_project(load(config)):
        typer.echo(line)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the published tables.")] = "",
    config: ConfigOption = CONFIG,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the SELECT from a file.", exists=True)
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """Ask the published database; it is opened read-only."""
    import duckdb

    from footpath.csv_text import csv_text

    if file is not None:
        sql = file.read_text("utf-8")
    if not sql.strip():
        raise typer.BadParameter("give a SELECT, or --file with one")
    with duckdb.connect(str(database(config)), read_only=True) as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            relation = connection.sql(sql)
        except duckdb.Error as error:
            raise InputError(str(error)) from None
        if relation is None:
            return
        if csv:
            typer.echo(csv_text(relation.columns, relation.fetchall()), nl=False)
        else:
            relation.show(max_width=200, max_rows=100)


@app.command()
def compare(
    a: Annotated[
        str,
        typer.Argument(
            help="A group of journeys: device=mobile, persona=p1, period=2025-03-01..2025-03-14."
        ),
    ],
    b: Annotated[str, typer.Argument(help="Another, or 'rest' for everybody else.")] = "rest",
    config: ConfigOption = CONFIG,
    picture: Annotated[
        Path | None, typer.Option("--picture", "-p", help="Write a page with the picture.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print all rates as CSV.")] = False,
) -> None:
    """Hold two segments, periods, personas or variants against each other, every rate and move."""
    from footpath.comparing import comparison, draw, lines
    from footpath.csv_text import csv_text

    loaded = load(config)
    table, journeys = comparison(database(config), a, b, loaded.graph.min_volume // 2)
    if csv:
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        typer.echo(csv_text(table.column_names, rows), nl=False)
    else:
        typer.echo("\n".join(lines(table, journeys, a, b)))
    if picture is not None:
        draw(table, picture, a, b)
        typer.echo(f"picture  {picture}", err=csv)


@app.command()
def docs(
    config: ConfigOption = CONFIG,
    out: Annotated[Path, typer.Option(help="Folder for the two files.")] = Path("dictionary"),
) -> None:
    """Write the data dictionary of the published database, with lineage: Markdown and HTML."""
    from footpath.dictionary import write_dictionary

    for path in write_dictionary(database(config), out, load(config).project):
        typer.echo(f"wrote {path}")


@app.command()
def export(
    formats: Annotated[
        list[ExportFormat] | None, typer.Argument(help="What to write.", show_default="all")
    ] = None,
    config: ConfigOption = CONFIG,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("export"),
    level: Annotated[
        str, typer.Option(help="Nodes of the graph: stage, touchpoint, channel or session.")
    ] = "stage",
    min_share: Annotated[
        float,
        typer.Option(help="Lead moves with less of their node's departures by 'other'.", min=0),
    ] = 0.0,
) -> None:
    """Write the map as a picture, and map and graph for other programs."""
    from footpath.export import FORMATS
    from footpath.export import export as write

    names = [name.value for name in formats or []] or list(FORMATS)
    loaded = load(config)
    for path in write(
        database(config), out, names, project=loaded.project, level=level, min_share=min_share
    ):
        typer.echo(f"wrote {path}")


@app.command()
def status(context: typer.Context, config: ConfigOption = CONFIG) -> None:
    """Say what is published, and what the last run of each stage did."""
    from contracts.lake import Lake
    from footpath.observing import last_summary, told

    lake = Lake(load(config).warehouse)
    if context.obj is LogFormat.JSON:
        typer.echo(json.dumps(last_summary(lake)))
        return
    manifest = lake.published()
    if manifest.version:
        typer.echo(f"{lake.root}: version {manifest.version}")
    else:
        typer.echo(f"{lake.root}: nothing published yet")
    for line in told(last_summary(lake)):
        typer.echo(line)


@app.command()
def versions(config: ConfigOption = CONFIG) -> None:
    """List the published versions that are kept, the newest first."""
    from contracts.lake import Lake
    from footpath.versions import told

    for line in told(Lake(load(config).warehouse)):
        typer.echo(line)


@app.command()
def rollback(
    version: Annotated[
        int | None, typer.Argument(help="Its number.", show_default="the one before the current")
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Let readers follow an earlier version again, or a later one."""
    from footpath.versions import rollback as go_back

    for line in go_back(load(config), version):
        typer.echo(line)


@app.command()
def digest(config: ConfigOption = CONFIG) -> None:
    """Print a content hash of every published table; equal hashes mean equal rows."""
    from sql.digest import digest as digest_tables

    for name, value in digest_tables(database(config)).items():
        typer.echo(f"{value}  {name}")


@app.command()
def forget(
    namespace: Annotated[str, typer.Argument(help="Namespace of an identifier of the person.")],
    value: Annotated[str, typer.Argument(help="Its value, as a source would give it.")],
    config: ConfigOption = CONFIG,
    beam: BeamArguments = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would go.")] = False,
) -> None:
    """Erase a person from every table, file, version and log, for good; later files can't bring them back."""
    from footpath.erasing import forget as erase

    for line in erase(load(config), namespace, value, sure=yes, beam_args=beam or []):
        typer.echo(line)


app.add_typer(identity_app, name="identity")
app.add_typer(privacy_app, name="privacy")
app.add_typer(quarantine_app, name="quarantine")


def main() -> None:
    """Run the command line; a known error ends with its exit code and no traceback."""
    try:
        app()
    except FootpathError as error:
        _LOG.error("%s", error, extra={"exit_code": error.exit_code})
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
