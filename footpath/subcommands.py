"""Commands of two words: ``footpath identity show``, ``privacy audit``, ``quarantine list`` and their kin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from footpath.options import CONFIG, BeamArguments, ConfigOption, database, load

__all__ = ["identity_app", "privacy_app", "quarantine_app"]

identity_app = typer.Typer(no_args_is_help=True, help="Who is who: explain, split, try out.")


@identity_app.command("show")
def identity_show(
    value: Annotated[str, typer.Argument(help="An identifier; personal ones are hashed to look.")],
    config: ConfigOption = CONFIG,
    events: Annotated[int, typer.Option(help="Latest touchpoints to print.", min=0)] = 20,
) -> None:
    """Print an identifier's customer: its identifiers, what tied them, what was refused, its events."""
    from footpath.identities import show

    for line in show(load(config), database(config), value, events):
        typer.echo(line)


@identity_app.command("split")
def identity_split(
    namespace: Annotated[str, typer.Argument(help="Namespace of the identifier.")],
    value: Annotated[str, typer.Argument(help="Its value, as a source would give it.")],
    config: ConfigOption = CONFIG,
    undo: Annotated[bool, typer.Option("--undo", help="Take an earlier split back.")] = False,
) -> None:
    """Order that an identifier ties nobody to anybody, from the next run on."""
    from footpath.identities import order_split

    for line in order_split(load(config), namespace, value, undo):
        typer.echo(line)


@identity_app.command("sensitivity")
def identity_sensitivity(config: ConfigOption = CONFIG, beam: BeamArguments = None) -> None:
    """Build the journey tables with shared devices treated in each way, and print which conclusions change."""
    from footpath.sensitivity import sensitivity

    for line in sensitivity(load(config), beam or []):
        typer.echo(line)


privacy_app = typer.Typer(no_args_is_help=True, help="Personal data: prove that none is kept.")


@privacy_app.command("audit")
def privacy_audit(
    values: Annotated[
        Path,
        typer.Argument(help="Personal values as sources give them, one a line; none is printed."),
    ],
    config: ConfigOption = CONFIG,
) -> None:
    """Look for raw personal values in every file of the warehouse, decoded; exit code 5 if one is there."""
    from footpath.auditing import audit

    for line in audit(load(config), values):
        typer.echo(line)


quarantine_app = typer.Typer(no_args_is_help=True, help="Records held as suspicious.")

SourceOption = Annotated[str | None, typer.Option("--source", help="Of this source.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="in_future or too_old.")]
EventOption = Annotated[str | None, typer.Option("--event-id", help="This event alone.")]


@quarantine_app.command("list")
def quarantine_list(
    config: ConfigOption = CONFIG,
    source: SourceOption = None,
    reason: ReasonOption = None,
    event_id: EventOption = None,
) -> None:
    """Print what is held, by source and reason."""
    from footpath.quarantines import held

    for line in held(database(config), source, reason, event_id):
        typer.echo(line)


def _quarantine_command(name: str, text: str) -> None:
    def command(
        config: ConfigOption = CONFIG,
        source: SourceOption = None,
        reason: ReasonOption = None,
        event_id: EventOption = None,
    ) -> None:
        from footpath.quarantines import order

        for line in order(load(config), database(config), name, source, reason, event_id):
            typer.echo(line)

    command.__doc__ = text
    quarantine_app.command(name)(command)


_quarantine_command(
    "release",
    "Order that held records become events, from the next run on; they may move the watermark.",
)
_quarantine_command(
    "drop",
    "Order that held records are left out while their time is implausible; they stay counted.",
)
