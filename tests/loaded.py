"""What `tests.commands` loads once for all commands: imported by the process that they are forked from."""

import apache_beam
import duckdb

import footpath.cli
import footpath.publication
from footpath.expecting import import_library

import_library()

__all__ = ["apache_beam", "duckdb", "footpath"]
