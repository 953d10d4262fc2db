"""Errors that footpath raises on purpose, each with the exit code its command ends with.

Exit codes are a contract with schedulers (README, "Exit codes"); a code is never reused.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CheckFailed",
    "ConfigError",
    "FootpathError",
    "InputError",
    "LockHeld",
    "NewerWarehouse",
    "Problem",
    "SchemaBroken",
    "StageOrderError",
    "UnsupportedRunner",
]


class FootpathError(Exception):
    """Base of all errors that are told to the user without a traceback."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, what was found and allowed, and the likely fix."""

    place: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.found}" + (f"\n    {self.fix}" if self.fix else "")


class ConfigError(FootpathError):
    """The configuration has mistakes; all of them are listed."""

    exit_code = 3

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = problems
        count = f"{len(problems)} mistake" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{source}: {count}\n" + "\n".join(f"  {p}" for p in problems))


class InputError(FootpathError):
    """A source's files are missing or cannot be read at all."""

    exit_code = 4


class CheckFailed(FootpathError):
    """A reconciliation or quality check failed; nothing was published."""

    exit_code = 5


class LockHeld(FootpathError):
    """Another run holds the warehouse."""

    exit_code = 6


class StageOrderError(FootpathError):
    """A stage was asked for before the one whose tables it reads."""

    exit_code = 7


class UnsupportedRunner(FootpathError):
    """The Beam runner or mode is known to lose or mix up data."""

    exit_code = 8


class NewerWarehouse(FootpathError):
    """The warehouse was written by a newer footpath, in a layout that is not known here."""

    exit_code = 9


class SchemaBroken(FootpathError):
    """A field that a source's events cannot be without has vanished from its new records."""

    exit_code = 10
