"""What commands share: options, and the ways to the configuration and to the published database."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import InputError

if TYPE_CHECKING:
    from contracts.config import Config

__all__ = ["CONFIG", "BeamArguments", "ConfigOption", "DateOption", "database", "load"]

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="Configuration file.", envvar="FOOTPATHCONFIG")
]
BeamArguments = Annotated[
    list[str] | None,
    typer.Argument(
        help="Options for Beam, after --: -- --runner=FlinkRunner --parallelism=4",
        show_default=False,
    ),
]
DateOption = Annotated[
    datetime | None,
    typer.Option(
        "--date",
        formats=["%Y-%m-%d"],
        help="Fill {date} in sources' paths with this day, to read its files alone.",
        show_default="every day",
    ),
]
CONFIG = Path("footpath.yml")


def load(config: Path, day: datetime | None = None) -> Config:
    from contracts.loading import load_config

    return load_config(config, day.date() if day else None)


def database(config: Path) -> Path:
    from contracts.lake import Lake

    path = Lake(load(config).warehouse).current / "footpath.duckdb"
    if not path.exists():
        raise InputError(f"nothing is published yet ({path}); run 'footpath run' first")
    return path
